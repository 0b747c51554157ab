import { Script } from 'node:vm';
import { SrcodeError } from '../errors.js';
import { isObject } from './tokenizer-file.js';

/** Runs work on a text of `length` characters. */
type Guard = <T>(length: number, work: () => T) => T;

// Time for work that patterns of strangers are part of: seconds, and more for a million characters.
const [least, perMillion] = [1, 1];

/**
 * A limit on the time of work that uses a tokenizer's patterns: one that backtracks without end would hold the process for hours, at a text of
 * forty bytes. Patterns that are `known` to be quick need none; setting a limit takes a tenth of a millisecond a call.
 * @throws ERR_UNSUPPORTED naming `where`, the file, and the patterns, where the time is used up.
 */
export function patternGuard(json: unknown, known: ReadonlySet<string>, where: string): Guard | undefined {
  const strange = [...new Set(patternsIn(json))].filter((pattern) => !known.has(pattern));
  if (strange.length === 0) return undefined;
  return (length, work) => {
    const seconds = least + (perMillion * length) / 1e6;
    const outer = slot[key];
    let result: unknown;
    slot[key] = () => {
      result = work();
    };
    try {
      limited.runInThisContext({ timeout: Math.ceil(1000 * seconds) });
      return result as ReturnType<typeof work>;
    } catch (cause) {
      if ((cause as { code?: unknown }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
      const names = strange.map((pattern) => JSON.stringify(pattern)).join(', ');
      throw new SrcodeError(
        'ERR_UNSUPPORTED',
        `${where}: splitting a text of ${length} characters took more than ${seconds.toFixed(1)} s; one of its patterns backtracks too much: ${names}. ` +
          'Expected patterns whose time grows with the text',
        { cause },
      );
    } finally {
      slot[key] = outer;
    }
  };
}

// A script can be stopped, in the middle of a match too; a function cannot.
const key: unique symbol = Symbol.for('srcode.limited') as never;
const slot = globalThis as unknown as { [key]: (() => void) | undefined };
const limited = new Script("globalThis[Symbol.for('srcode.limited')]()");

/** All regular expressions of a part of a tokenizer.json. */
function patternsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(patternsIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === 'Regex' && typeof inner === 'string' ? [inner] : patternsIn(inner),
  );
}
