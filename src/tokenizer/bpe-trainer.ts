import { BYTE_TO_CHAR, toByteLevel } from './byte-alphabet.js';
import { Heap } from './heap.js';

export interface TrainedBpe {
  /** Tokens in order of their ids: special tokens, the 256 bytes (in order of their character), then the merges' results. */
  tokens: string[];
  merges: [string, string][];
}

/**
 * Trains byte-level BPE on pre-token counts until the vocabulary has `vocabSize` tokens or no pair occurs `minFrequency` times.
 *
 * Each round joins the adjacent pair that occurs most often; ties go to the smaller left id, then to the smaller right id. Two
 * merges that spell the same token share its id. These are the rules of Hugging Face's BpeTrainer, so both give the same file, and
 * nothing depends on the order of the texts.
 *
 * Counts are kept, not recomputed (Sennrich et al. 2016, §3.2): a merge touches only the words that hold its pair, and a heap with
 * outdated entries, refreshed when they surface, gives the most frequent pair.
 */
export function trainBpe(
  pieces: ReadonlyMap<string, number>,
  {
    vocabSize,
    specialTokens,
    minFrequency,
  }: { vocabSize: number; specialTokens: readonly string[]; minFrequency: number },
): TrainedBpe {
  const tokens = [...specialTokens, ...[...BYTE_TO_CHAR].sort()];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words = [...pieces].map(([piece, count]) => ({
    symbols: Array.from(toByteLevel(piece), (char) => idOf.get(char) as number),
    count,
  }));

  const pairs = new Map<number, Pair>();
  const pairOf = (left: number, right: number): Pair => {
    const key = left * vocabSize + right;
    const known = pairs.get(key);
    if (known) return known;
    const pair: Pair = { left, right, count: 0, words: new Set() };
    pairs.set(key, pair);
    return pair;
  };
  words.forEach(({ symbols, count }, w) => {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair = pairOf(symbols[i] as number, symbols[i + 1] as number);
      pair.count += count;
      pair.words.add(w);
    }
  });

  const queue = new Heap<Candidate>(goesFirst);
  for (const pair of pairs.values()) queue.push({ pair, count: pair.count });
  const merges: [string, string][] = [];
  while (tokens.length < vocabSize) {
    const best = queue.pop();
    if (!best || best.count < minFrequency) break;
    const { pair } = best;
    if (best.count !== pair.count) {
      if (pair.count > 0) queue.push({ pair, count: pair.count });
      continue;
    }
    const left = tokens[pair.left] as string;
    const right = tokens[pair.right] as string;
    let merged = idOf.get(left + right);
    if (merged === undefined) {
      merged = tokens.push(left + right) - 1;
      idOf.set(left + right, merged);
    }
    merges.push([left, right]);

    const grown = new Set<Pair>();
    for (const w of pair.words) {
      const { symbols, count } = words[w] as Word;
      mergeWord(symbols, pair.left, pair.right, merged, (a, b, change) => {
        const changed = pairOf(a, b);
        changed.count += change * count;
        if (change < 0) return;
        changed.words.add(w);
        grown.add(changed);
      });
    }
    pair.words.clear();
    for (const changed of grown) if (changed.count > 0) queue.push({ pair: changed, count: changed.count });
  }
  return { tokens, merges };
}

interface Word {
  symbols: number[];
  count: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** The words that hold the pair, or held it once. */
  readonly words: Set<number>;
}

interface Candidate {
  readonly pair: Pair;
  /** The pair's count when it was queued. */
  readonly count: number;
}

function goesFirst(a: Candidate, b: Candidate): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}

/** Joins (left, right) from left to right in place and reports how the count of each adjacent pair changes. */
function mergeWord(
  symbols: number[],
  left: number,
  right: number,
  merged: number,
  change: (a: number, b: number, by: 1 | -1) => void,
): void {
  let length = 0;
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number;
    if (symbol !== left || symbols[i + 1] !== right) {
      symbols[length++] = symbol;
      continue;
    }
    change(left, right, -1);
    if (length > 0) {
      const before = symbols[length - 1] as number;
      change(before, left, -1);
      change(before, merged, 1);
    }
    const after = symbols[i + 2];
    if (after !== undefined) {
      change(right, after, -1);
      change(merged, after, 1);
    }
    symbols[length++] = merged;
    i++;
  }
  symbols.length = length;
}
