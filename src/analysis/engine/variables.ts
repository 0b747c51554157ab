import { characters as charactersOf } from '../c/literals.js';
import type { CNode } from '../c/syntax.js';
import { type CType, sizeOf } from './types.js';
import { constant, Facts, type Linear, type Region, State } from './values.js';
import type { Variable, Walk } from './walk.js';

/** Declares a variable in the innermost scope. */
export function declare(walk: Walk, name: string, type: CType, node: CNode): Variable {
  const key = `${name}~${walk.frame.id}~${node.start}`;
  const variable = { key, type, region: regionOf(walk, key, type, node, 'variable', walk.frame.id) };
  (walk.frame.scopes.at(-1) as Map<string, Variable>).set(name, variable);
  walk.declared++;
  return variable;
}

/** The memory of a variable, or of a place within other memory. */
export function regionOf(
  walk: Walk,
  id: string,
  type: CType,
  node: CNode,
  kind: Region['kind'],
  frame: number,
  size?: Linear,
): Region {
  const bytes = bytesOf(walk, type);
  return { id, kind, type, node, frame, size: size ?? (bytes === undefined ? null : constant(bytes)) };
}

/** What an expression elsewhere, an initialiser or the length of an array, counts for: there may be some in one another, or in itself. */
export const lookupLevels = 50;

/** Bytes of a type; undefined where that cannot be known. */
export function bytesOf(walk: Walk, type: CType): number | undefined {
  return sizeOf(type, (node) => constantOf(walk, node));
}

function constantOf(walk: Walk, node: CNode): number | undefined {
  const value = walk.elsewhere(lookupLevels, () => walk.quietly(() => walk.evaluate(node, new State())));
  if (value === undefined) return undefined;
  const { lo, hi } = walk.range(value.number, new Facts());
  return lo === hi ? lo : undefined;
}

/** The variable of a name: of the innermost scope that has it, else a global one. */
export function lookup(walk: Walk, name: string): Variable | undefined {
  for (let i = walk.frame.scopes.length - 1; i >= 0; i--) {
    const found = walk.frame.scopes[i]?.get(name);
    if (found !== undefined) return found;
  }
  const global = walk.program.globals.get(name);
  if (global === undefined) return undefined;
  const type = sizedBy(global.type, global.value);
  const region = regionOf(walk, `@${name}`, type, global.node, 'global', 0);
  const text = global.constant && global.value !== undefined ? walk.stringOf(global.value) : undefined;
  return {
    key: `@${name}`,
    type,
    region: text === undefined || type.kind !== 'array' ? region : { ...region, text },
  };
}

/** An array's type with the length that its initialiser gives. */
export function sizedBy(type: CType, value: CNode | undefined): CType {
  if (type.kind !== 'array' || type.length !== null || value === undefined) return type;
  if (value.type === 'initializer_list') return { ...type, length: value.children.length };
  if (value.type === 'string_literal')
    return {
      ...type,
      length: charactersOf(value.children.length === 0 ? '' : ' '.repeat(value.end - value.start - 2)).length + 1,
    };
  return type;
}
