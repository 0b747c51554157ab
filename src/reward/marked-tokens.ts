import { SrcodeError } from '../errors.js';
import type { Span } from '../teacher/teacher.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { replaceInvalid } from '../utf8.js';
import { tokensOf } from './answer.js';

/** A token of a program; positions are bytes of the program. */
export interface MarkedToken {
  id: number;
  start: number;
  end: number;
  /** It is in T: spans reward it. */
  secure: boolean;
}

/**
 * A program as the tokens that a tokenizer makes of it, those that spans reward marked as a run would mark them.
 * @throws ERR_DATA where the tokens do not spell the program, as with tokenizers that normalise text.
 */
export function markedTokens(code: Uint8Array, spans: readonly Span[], tokenizer: Tokenizer): MarkedToken[] {
  const program = Buffer.from(replaceInvalid(code));
  const ids = tokenizer.encode(program.toString('utf8'), { parseSpecialTokens: false });
  const spelled = Buffer.from(tokenizer.bytes(ids));
  // Llama 2's kind puts a blank before the first word.
  const lead = spelled.length - program.length;
  if ((lead !== 0 && lead !== 1) || !spelled.subarray(lead).equals(program)) {
    throw new SrcodeError(
      'ERR_DATA',
      `Expected tokens that spell the ${program.length} bytes of the program, received ${ids.length} that spell ` +
        `${spelled.length} others: this tokenizer alters text`,
    );
  }
  const offsets = tokenizer.offsets(ids);
  const shifted = spans.map(({ start, end }) => ({ start: start + lead, end: end + lead }));
  const secure = tokensOf(shifted, { code: spelled, answerStart: 0, offsets });
  return Array.from(ids, (id, t) => ({
    id,
    start: Math.max(0, (offsets[t] as number) - lead),
    end: (offsets[t + 1] as number) - lead,
    secure: secure[t] === 1,
  }));
}
