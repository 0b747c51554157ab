import type { RuleFamily } from '../engine/rule.js';
import { type CType, sizeOf } from '../engine/types.js';
import { Source } from '../engine/values.js';

/** Memory that is read before it is written. */
export const initialisation: RuleFamily = {
  rules: [
    {
      id: 'uninitialised',
      cwe: 'CWE-457',
      kind: 'initialisation',
      finds: 'a variable read that nothing was assigned to',
      discharge: 'an assignment on every way there',
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

/** Which argument leaves the program. */
const sent: Readonly<Record<string, number>> = { write: 1, pwrite: 1, send: 1, sendto: 1, fwrite: 0, copy_to_user: 1 };
