import { type CNode, type CSource, child, descendants } from '../../analysis/c/syntax.js';
import type { StepId } from './spec.js';

/** A change of a program: `removed` takes the credited code away, or puts the careless form in its place; `weakened` spares most of it. */
export interface Mutation {
  kind: 'removed' | 'weakened';
  /** In words. */
  change: string;
  edits: Edit[];
}

interface Edit {
  node: Pick<CNode, 'start' | 'end'>;
  text: string;
}

/**
 * What can be done to the code that is credited to a step. Deleting is no counterfactual of a safe call: there the careless call takes its
 * place. Code that no rule knows how to take away has no mutation.
 */
export function mutationsOf(source: CSource, credited: readonly CNode[], step: StepId): Mutation[] {
  const guards = credited.filter(({ type }) => type === 'if_statement');
  const conditions = credited.filter(letsThrough);
  const others = credited.filter((node) => node.type !== 'if_statement' && !letsThrough(node));
  return [
    ...guards.flatMap((guard) => guardMutations(source, guard)),
    ...conditions.flatMap((condition) => conditionMutations(source, condition)),
    ...(others.length > 0 ? careless[step](source, others) : []),
  ];
}

/** The program with a mutation's edits, as bytes. */
export function mutate(source: CSource, code: Uint8Array, { edits }: Mutation): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const { node, text } of [...edits].sort((a, b) => a.node.start - b.node.start)) {
    const { start, end } = source.span(node);
    parts.push(code.subarray(at, start), Buffer.from(text));
    at = end;
  }
  parts.push(code.subarray(at));
  return Buffer.concat(parts);
}

function guardMutations(source: CSource, guard: CNode): Mutation[] {
  const otherwise = child(guard, 'alternative');
  const rest = otherwise?.children[0] === undefined ? ';' : source.text(otherwise.children[0]);
  const condition = child(guard, 'condition') as CNode;
  const removed: Mutation = { kind: 'removed', change: 'guard deleted', edits: [{ node: guard, text: rest }] };
  return [removed, ...weakened(source, condition, { '>=': '>', '<=': '<', '||': '' })];
}

/** The condition under which the risky code runs, rather than one that refuses. */
function letsThrough({ field, parent }: CNode): boolean {
  return field === 'condition' && (parent?.type === 'if_statement' || parent?.type === 'conditional_expression');
}

function conditionMutations(source: CSource, condition: CNode): Mutation[] {
  const removed: Mutation = {
    kind: 'removed',
    change: 'condition left out',
    edits: [{ node: condition, text: '(1)' }],
  };
  return [removed, ...weakened(source, condition, { '<': '<=', '>': '>=', '&&': '' })];
}

/** Each comparison of a condition so that one more value passes, each pair of conditions with its second half left out. */
function weakened(source: CSource, condition: CNode, weaker: Readonly<Record<string, string>>): Mutation[] {
  return descendants(condition).flatMap((node): Mutation[] => {
    const [left, right, into] = [child(node, 'left'), child(node, 'right'), weaker[node.operator]];
    if (node.type !== 'binary_expression' || left === undefined || right === undefined || into === undefined) return [];
    const text = into === '' ? source.text(left) : `${source.text(left)} ${into} ${source.text(right)}`;
    const change = into === '' ? `half of ${node.operator} left out` : `${node.operator} to ${into}`;
    return [{ kind: 'weakened', change, edits: [{ node, text }] }];
  });
}

type Careless = (source: CSource, credited: readonly CNode[]) => Mutation[];

const none: Careless = () => [];

/** Swaps a call for another one, with some of its arguments in another order. */
function swapped(name: string, into: string): (source: CSource, call: CNode) => Mutation | undefined {
  return (source, call) => {
    const args = child(call, 'arguments')?.children ?? [];
    if (source.text(child(call, 'function') as CNode) !== name) return undefined;
    const text = into.replace(/\$(\d)/g, (_, i) => (args[i] === undefined ? '' : source.text(args[i])));
    return { kind: 'removed', change: `${name} to ${into.split('(')[0]}`, edits: [{ node: call, text }] };
  };
}

const calls = (nodes: readonly CNode[]): CNode[] =>
  nodes.flatMap((node) => descendants(node).filter(({ type }) => type === 'call_expression'));

const anyCall =
  (...swaps: ((source: CSource, call: CNode) => Mutation | undefined)[]): Careless =>
  (source, credited) =>
    calls(credited).flatMap((call) => swaps.flatMap((swap) => swap(source, call) ?? []));

const deleted =
  (what: string, such: (node: CNode, source: CSource) => boolean): Careless =>
  (source, credited) =>
    credited
      .filter((node) => such(node, source))
      .map((node) => ({ kind: 'removed', change: what, edits: [{ node, text: ';' }] }));

const assigns = (node: CNode): boolean => node.children[0]?.type === 'assignment_expression';

const all =
  (...careless: Careless[]): Careless =>
  (source, credited) =>
    careless.flatMap((one) => one(source, credited));

/** How the careless write what a step's credited statements do. */
const careless: Readonly<Record<StepId, Careless>> = {
  ...{ get: none, set: none, div: none, add: none, mcpy: none, slen: none, field: none, alloc: none },
  ...{ exec: none, path: none },
  copy: all(
    anyCall(swapped('snprintf', 'strcpy($0, $3)'), swapped('strncpy', 'strcpy($0, $1)')),
    deleted('end of the string left out', assigns),
  ),
  cat: anyCall(swapped('strncat', 'strcat($0, $1)')),
  print: anyCall(
    swapped('printf', 'printf($1)'),
    swapped('fprintf', 'fprintf($0, $2)'),
    swapped('fputs', 'printf($0)'),
    swapped('puts', 'printf($0)'),
  ),
  dup: (source, credited) =>
    calls(credited)
      .filter((call) => source.text(child(call, 'function') as CNode) === 'malloc')
      .flatMap((call) => descendants(call))
      .filter(({ type, operator }) => type === 'binary_expression' && operator === '+')
      .slice(0, 1)
      .map((sum) => ({
        kind: 'removed',
        change: 'one byte less allocated',
        edits: [{ node: sum, text: source.text(child(sum, 'left') as CNode) }],
      })),
  free: deleted('pointer left dangling', assigns),
  take: (source, credited) => {
    const [read, free, ...more] = credited;
    if (read === undefined || free === undefined || more.length > 0) return [];
    return [
      {
        kind: 'removed',
        change: 'freed before it is read',
        edits: [
          { node: read, text: source.text(free) },
          { node: free, text: source.text(read) },
        ],
      },
    ];
  },
  sum: (source, credited) =>
    credited.flatMap((condition) =>
      descendants(condition)
        .filter(({ operator }) => operator === '<' || operator === '!=')
        .slice(0, 1)
        .map((node) => ({
          kind: 'removed' as const,
          change: `${node.operator} to <=`,
          edits: [
            { node, text: `${source.text(node.children[0] as CNode)} <= ${source.text(node.children[1] as CNode)}` },
          ],
        })),
    ),
  file: deleted('stream left open', (node, source) => source.text(node).includes('fclose')),
  line: anyCall(swapped('fgets', 'fscanf($2, "%s", $0)')),
};
