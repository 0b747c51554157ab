import { type CNode, type CSource, child } from './syntax.js';

/** What an expression reads and writes: variables by name, and all other memory as one. */
interface Uses {
  readonly reads: ReadonlySet<string>;
  readonly writes: ReadonlySet<string>;
}

const memory: ReadonlySet<string> = new Set(['*']);
const none: ReadonlySet<string> = new Set();
const nothing: Uses = { reads: none, writes: none };
// Functions that change nothing which an expression could read.
const pure =
  /^(?:str(?:n?len|n?cmp|r?chr|str|pbrk|c?spn)|mem(?:cmp|chr)|is\w+|to(?:upper|lower)|ato[il]|abs|feof|ferror|[mc]alloc|strn?dup)$/;

/**
 * The first part of an expression whose result depends on the order in which a compiler computes its operands: one of them changes
 * what another one uses, and nothing in C says which comes first.
 */
export function unordered(root: CNode, source: CSource): CNode | undefined {
  let found: CNode | undefined;

  const looked = (nodes: readonly CNode[]): Uses[] => nodes.map(look);
  const together = (node: CNode, parts: readonly Uses[]): Uses => {
    if (clashes(parts)) found ??= node;
    return joined(parts);
  };

  /** What it takes to find an object, without reading it; and the object. */
  const object = (node: CNode): { uses: Uses; itself: ReadonlySet<string> } => {
    const [inner] = node.children;
    if (node.type === 'parenthesized_expression' && inner !== undefined) return object(inner);
    if (node.type === 'identifier') return { uses: nothing, itself: new Set([source.text(node)]) };
    return { uses: together(node, looked(node.children)), itself: memory };
  };

  const look = (node: CNode): Uses => {
    switch (node.type) {
      case 'identifier':
        return { reads: new Set([source.text(node)]), writes: none };
      case 'sizeof_expression':
      case 'type_descriptor':
        return nothing;
      case 'assignment_expression': {
        const [left, right] = [child(node, 'left'), child(node, 'right')];
        if (left === undefined || right === undefined) return nothing;
        const { uses, itself } = object(left);
        const value = look(right);
        if (meets(itself, value.writes) && itself !== memory) found ??= node;
        const own = { reads: node.operator === '=' ? none : itself, writes: itself };
        return joined([together(node, [uses, value]), own]);
      }
      case 'update_expression': {
        const of = child(node, 'argument');
        if (of === undefined) return nothing;
        const { uses, itself } = object(of);
        return joined([uses, { reads: itself, writes: itself }]);
      }
      case 'pointer_expression':
        if (node.operator === '&') return node.children[0] === undefined ? nothing : object(node.children[0]).uses;
        return joined([...looked(node.children), { reads: memory, writes: none }]);
      case 'subscript_expression':
      case 'field_expression':
        return joined([together(node, looked(node.children)), { reads: memory, writes: none }]);
      case 'call_expression': {
        const args = together(node, looked(child(node, 'arguments')?.children ?? []));
        const name = child(node, 'function');
        const changes = name !== undefined && !pure.test(source.text(name));
        return joined([args, { reads: memory, writes: changes ? memory : none }]);
      }
      case 'comma_expression':
      case 'conditional_expression':
        return joined(looked(node.children));
      default:
        if (node.operator === '&&' || node.operator === '||') return joined(looked(node.children));
        return together(node, looked(node.children));
    }
  };
  look(root);
  return found;
}

/** Whether one part changes what another one uses. */
function clashes(parts: readonly Uses[]): boolean {
  if (parts.length < 2 || parts.every(({ writes }) => writes.size === 0)) return false;
  const [reads, writes] = [new Set<string>(), new Set<string>()];
  for (const part of parts) {
    if (meets(part.writes, reads) || meets(part.writes, writes) || meets(part.reads, writes)) return true;
    for (const name of part.reads) reads.add(name);
    for (const name of part.writes) writes.add(name);
  }
  return false;
}

function meets(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const one of a) if (b.has(one)) return true;
  return false;
}

function joined(parts: readonly Uses[]): Uses {
  const some = parts.filter(({ reads, writes }) => reads.size > 0 || writes.size > 0);
  if (some.length < 2) return some[0] ?? nothing;
  const [reads, writes] = [new Set<string>(), new Set<string>()];
  for (const part of some) {
    for (const name of part.reads) reads.add(name);
    for (const name of part.writes) writes.add(name);
  }
  return { reads, writes };
}
