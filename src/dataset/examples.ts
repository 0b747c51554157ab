import { SrcodeError } from '../errors.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { PreferenceRow, SftRow, TextRow } from './rows.js';

/** A tokenised row. `lossWeights[i]` weighs the prediction of `tokens[i]`; 0 is not supervised, and index 0 is predicted by nothing. */
export interface Example {
  tokens: Int32Array; // [n]
  lossWeights: Float32Array; // [n]
}

export interface PreferenceExample {
  chosen: Int32Array;
  rejected: Int32Array;
}

export interface ExampleReport {
  kept: number;
  tooLong: number;
  /** Tokens of the longest row, kept or not. */
  longest: number;
  tokens: number;
  supervisedTokens: number;
}

/**
 * Prompt, response and EOS as ids: the prompt is masked, the response and EOS are trained. Prompt and response are encoded apart, as at
 * generation, so no token spans the border. Errors: ERR_CONFIG (no EOS), ERR_DATA (nothing is supervised), both naming the row.
 */
export function toExample(
  tokenizer: Tokenizer,
  row: Pick<SftRow, 'prompt' | 'response'> & Partial<Pick<SftRow, 'literal' | 'where'>>,
): Example {
  const prompt = encodePrompt(tokenizer, row);
  const tokens = withAnswer(tokenizer, prompt, row.response, row);
  const lossWeights = new Float32Array(tokens.length).fill(1, Math.max(prompt.length, 1));
  if (row.response === '' || Math.max(prompt.length, 1) >= tokens.length)
    throw new SrcodeError('ERR_DATA', `${row.where ?? 'A row'} has no response to learn: no token would be supervised`);
  return { tokens, lossWeights };
}

/** Both answers after the same prompt, each with EOS. Errors as `toExample`. */
export function toPreferenceExample(
  tokenizer: Tokenizer,
  row: Pick<PreferenceRow, 'prompt' | 'chosen' | 'rejected'> & Partial<Pick<PreferenceRow, 'literal' | 'where'>>,
): PreferenceExample {
  const prompt = encodePrompt(tokenizer, row);
  return {
    chosen: withAnswer(tokenizer, prompt, row.chosen, row),
    rejected: withAnswer(tokenizer, prompt, row.rejected, row),
  };
}

/** Tokenises rows and leaves out those longer than `maxTokens` (never cut: half a function teaches to stop early). Errors: as `toExample`, and ERR_DATA when none is left. */
export function toExamples(
  tokenizer: Tokenizer,
  rows: readonly SftRow[],
  { maxTokens }: { maxTokens: number },
): { examples: Example[]; rows: SftRow[]; report: ExampleReport } {
  const all = rows.map((row) => toExample(tokenizer, row));
  const fits = all.map(({ tokens }) => tokens.length <= maxTokens);
  const examples = all.filter((_, i) => fits[i]);
  const report = reportOf(
    all.map(({ tokens }) => tokens.length),
    maxTokens,
  );
  for (const { lossWeights } of examples) for (const weight of lossWeights) if (weight > 0) report.supervisedTokens++;
  return { examples, rows: rows.filter((_, i) => fits[i]), report };
}

/** As `toExamples`; a pair counts by its longer answer. `supervisedTokens` counts the two scored tokens of each pair. */
export function toPreferenceExamples(
  tokenizer: Tokenizer,
  rows: readonly PreferenceRow[],
  { maxTokens }: { maxTokens: number },
): { examples: PreferenceExample[]; rows: PreferenceRow[]; report: ExampleReport } {
  const all = rows.map((row) => toPreferenceExample(tokenizer, row));
  const lengths = all.map(({ chosen, rejected }) => Math.max(chosen.length, rejected.length));
  const report = reportOf(lengths, maxTokens);
  const kept = <T>(list: readonly T[]) => list.filter((_, i) => (lengths[i] as number) <= maxTokens);
  const examples = kept(all);
  report.tokens = examples.reduce((sum, { chosen, rejected }) => sum + chosen.length + rejected.length, 0);
  report.supervisedTokens = 2 * examples.length;
  return { examples, rows: kept(rows), report };
}

/** A document as ids, with the template's prefix (Llama: BOS) and EOS behind it. */
export function toDocument(
  tokenizer: Tokenizer,
  row: Pick<TextRow, 'text'> & Partial<Pick<TextRow, 'where'>>,
): Int32Array {
  return withAnswer(tokenizer, tokenizer.prefixIds, row.text, { literal: true, ...row });
}

function encodePrompt(
  tokenizer: Tokenizer,
  { prompt, literal = false }: { prompt: string; literal?: boolean | undefined },
): Int32Array {
  return concat(tokenizer.prefixIds, tokenizer.encode(prompt, { parseSpecialTokens: !literal }));
}

function withAnswer(
  tokenizer: Tokenizer,
  prompt: Int32Array,
  answer: string,
  { literal = false, where = 'A row' }: { literal?: boolean | undefined; where?: string | undefined },
): Int32Array {
  const { eosId } = tokenizer;
  if (eosId === null)
    throw new SrcodeError(
      'ERR_CONFIG',
      `${where} cannot end: the tokenizer names no EOS; add "eos_token" to its tokenizer_config.json`,
    );
  const ids = tokenizer.encode(answer, { parseSpecialTokens: !literal });
  return ids.at(-1) === eosId ? concat(prompt, ids) : concat(prompt, ids, Int32Array.of(eosId));
}

function concat(...parts: readonly Int32Array[]): Int32Array {
  const out = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function reportOf(lengths: readonly number[], maxTokens: number): ExampleReport {
  const kept = lengths.filter((length) => length <= maxTokens);
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0);
  if (kept.length === 0)
    throw new SrcodeError(
      'ERR_DATA',
      lengths.length === 0
        ? 'No rows to tokenise'
        : `All ${lengths.length} rows are longer than ${maxTokens} tokens (the shortest has ${lengths.reduce((a, b) => Math.min(a, b))}); raise the limit or bring shorter rows`,
    );
  return {
    kept: kept.length,
    tooLong: lengths.length - kept.length,
    longest,
    tokens: kept.reduce((a, b) => a + b, 0),
    supervisedTokens: 0,
  };
}
