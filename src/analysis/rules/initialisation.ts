import { type CNode, child, descendants } from '../c/syntax.js';
import type { RuleFamily } from '../engine/rule.js';
import { type CType, sizeOf } from '../engine/types.js';
import { type Gap, Source } from '../engine/values.js';
import type { Walk } from '../engine/walk.js';

/** Memory that is read before it is written. */
export const initialisation: RuleFamily = {
  rules: [
    {
      id: 'uninitialised',
      cwe: 'CWE-457',
      kind: 'initialisation',
      finds:
        'a variable read that nothing was assigned to, or only one branch before it, and no later condition looks at the same',
      discharge: 'an assignment on every way there; a value from the start',
    },
    {
      id: 'uninitialised-output',
      cwe: 'CWE-908',
      kind: 'initialisation',
      finds: 'a record or buffer sent or written out while a part of it, padding too, was never written to',
      discharge: 'memset, or = {0}, before its parts are set',
    },
  ],

  call(walk, { node, name, arguments: args, state }) {
    const at = Object.hasOwn(sent, name) ? (sent[name] as number) : undefined;
    const region = at === undefined ? undefined : args[at]?.value.targets[0]?.region;
    if (region?.kind !== 'variable' || !state.store.get(region.id)?.uninitialised) return;
    const { type } = region;
    const fields = type.kind === 'record' ? [...(type.fields ?? [])] : [];
    const bytes = (of: CType): number => sizeOf(of, () => undefined) ?? 0;
    const set = fields.filter(([field]) =>
      [...state.store.keys()].some((key) => key.startsWith(`${region.id}.${field}`)),
    );
    if (fields.length > 0 && set.reduce((sum, [, of]) => sum + bytes(of), 0) === bytes(type)) return;
    walk.report('uninitialised-output', node, 'a part of this was never written to, and goes out with it');
  },

  read(walk, { node, value, state }) {
    if (value.gap !== undefined) partly(walk, node, value.gap);
    if (
      !value.uninitialised ||
      node.type !== 'identifier' ||
      value.type.kind === 'array' ||
      value.type.kind === 'record' ||
      value.type.kind === 'unknown'
    )
      return;
    walk.report('uninitialised', node, `${walk.text(node)} is read before anything is assigned to it`);
    const variable = walk.lookup(walk.text(node));
    if (variable !== undefined) state.store.set(variable.key, { ...walk.fresh(value.type, Source.own) });
  },
};

function partly(walk: Walk, node: CNode, gap: Gap): void {
  if (node.type !== 'identifier' || walk.lookup(walk.text(node))?.key !== gap.key) return;
  if (told(walk, node, gap.branch) || (gap.initial !== null && walk.holds(gap.initial))) return;
  walk.report('uninitialised', node, `${walk.text(node)} is read, and only one branch assigned to it`);
}

// Whether a condition between the branch and the read may tell the two ways apart: the read depends on one, or one looks at what the
// branch looks at or changes.
function told(walk: Walk, node: CNode, branch: CNode): boolean {
  const names = new Set<string>();
  for (const at of descendants(branch)) {
    if (at.type === 'identifier' && within(at, child(branch, 'condition'))) names.add(walk.text(at));
    const left = at.type === 'assignment_expression' ? child(at, 'left') : undefined;
    if (left !== undefined) names.add(walk.text(left));
  }
  const later = descendants(walk.frame.function.body).filter(
    (at) => conditional.test(at.type) && at.start >= branch.end && at.start < node.start,
  );
  return later.some((at) => {
    if (at.end >= node.end) return true;
    const condition = child(at, 'condition') ?? at;
    return descendants(condition).some((part) => names.has(walk.text(part)));
  });
}

function within(node: CNode, whole: CNode | undefined): boolean {
  return whole !== undefined && node.start >= whole.start && node.end <= whole.end;
}

const conditional = /^(if|while|for|do|switch)_statement$|^conditional_expression$/;

/** Which argument leaves the program. */
const sent: Readonly<Record<string, number>> = { write: 1, pwrite: 1, send: 1, sendto: 1, fwrite: 0, copy_to_user: 1 };
