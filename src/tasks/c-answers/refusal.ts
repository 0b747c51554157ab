import { tokensOf } from './lexer.js';
import { preprocessed } from './macros.js';
import type { Given } from './names.js';
import { Program } from './program.js';
import { type Refusal, Refused, refuse } from './refused.js';

export type { Refusal } from './refused.js';

/** Bytes of the longest answer that is looked at. */
export const longest = 65536;

/**
 * Whether a program in C may be compiled and run among the tests that judge it: undefined where it may. It is read as the compiler reads
 * it, by its tokens, macros and declarations; whatever has another meaning for another reader, reaches beyond C and the allowed part of the
 * library, or grows out of proportion is refused. A text that is no C is refused, too.
 *
 * @param code - The whole program, without what the tests put around it.
 * @param about - What the task declares for the program: functions, and tags of structures.
 */
export async function refusalOf(code: Uint8Array, about: Given): Promise<Refusal | undefined> {
  try {
    if (code.length > longest) refuse(1, `more than ${longest} bytes`);
    // One character a byte: comments and strings may hold anything.
    const text = Buffer.from(code.buffer, code.byteOffset, code.byteLength).toString('latin1');
    new Program(preprocessed(tokensOf(text), about), about).check();
    return undefined;
  } catch (error) {
    if (error instanceof Refused) return { reason: error.message, line: error.line };
    throw error;
  }
}
