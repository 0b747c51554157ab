import { createHash } from 'node:crypto';
import { SrcodeError } from '../errors.js';
import type { FunctionPair } from './function-pair.js';

/**
 * Gives each pair the name of its group: pairs of one commit, or that share a function text, directly or through others, are one group,
 * so that no commit and no function comes to lie on both sides of a split.
 */
export function groupPairs(pairs: readonly Pick<FunctionPair, 'commit' | 'beforeHash' | 'afterHash'>[]): string[] {
  const parent = new Map<string, string>();
  const root = (key: string): string => {
    let top = key;
    for (let up = parent.get(top); up !== undefined && up !== top; up = parent.get(top)) top = up;
    for (let at = key; at !== top; ) {
      const up = parent.get(at) as string;
      parent.set(at, top);
      at = up;
    }
    return top;
  };
  // The smaller name becomes the root, so that a group's name does not depend on the order of the pairs. Commits sort before texts.
  const join = (a: string, b: string): void => {
    const [x, y] = [root(a), root(b)];
    if (x < y) parent.set(y, x);
    else if (y < x) parent.set(x, y);
  };
  for (const { commit, beforeHash, afterHash } of pairs)
    for (const hash of [beforeHash, afterHash]) join(`commit ${commit}`, `text ${hash}`);
  return pairs.map(({ commit }) => root(`commit ${commit}`));
}

/**
 * Holds back about `fraction` of the rows by a seeded hash of their group: whole groups, and rows that are added move no other group. Where the
 * hash would leave a side empty, the group of the least (or greatest) hash goes there. Errors: ERR_DATA with fewer than two groups.
 */
export function holdBack<T extends { group: string }>(
  rows: readonly T[],
  { fraction = 0.1, seed = 0 }: { fraction?: number; seed?: number } = {},
): { train: T[]; heldBack: T[] } {
  if (!(fraction >= 0 && fraction < 1))
    throw new SrcodeError('ERR_INVALID_ARG', `Expected a fraction to hold back in [0, 1), received ${fraction}`);
  if (fraction === 0) return { train: [...rows], heldBack: [] };
  const place = new Map<string, number>();
  for (const { group } of rows)
    if (!place.has(group))
      place.set(group, createHash('sha256').update(`${seed} ${group}`).digest().readUInt32BE() / 2 ** 32);
  if (place.size < 2)
    throw new SrcodeError(
      'ERR_DATA',
      `Expected rows of at least two commits (or prompts) to hold some back, received ${place.size}; add data, or hold nothing back`,
    );
  const places = [...place.values()].sort((a, b) => a - b);
  const bound = Math.min(Math.max(fraction, (places[0] as number) + Number.EPSILON), places.at(-1) as number);
  const isHeld = ({ group }: T) => (place.get(group) as number) < bound;
  return { train: rows.filter((row) => !isHeld(row)), heldBack: rows.filter(isHeld) };
}
