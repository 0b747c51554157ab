import { type Lexeme, lexemes } from '../analysis/lexemes.js';
import { lineFeeds } from '../analysis/syntax/bytes.js';
import { replaceInvalid } from '../utf8.js';
import type { CodeLanguage } from './teacher.js';

/** Code as it is shown to a model, with the way back to its bytes. */
export interface Shown {
  /** What a compiler would not see as a reader does stands as `⟦U+202E⟧`, a byte of no character as `⟦0xFF⟧`. Lines end in `\n` alone, and where they end for a compiler. */
  text: string;
  /** The bytes [start, end) of the character that each UTF-16 unit of the text stands for. */
  starts: Int32Array;
  ends: Int32Array;
}

/**
 * Shows code so that nothing in it is hidden: control and format characters, strange blanks, marks on letters; letters that look like others
 * in words with ASCII letters; and in what is neither comment nor string, all that is not ASCII but its letters with accents. The brackets
 * themselves are escaped: no code can imitate an escape.
 */
export function shownCode(code: Uint8Array, language: CodeLanguage): Shown {
  const valid = Buffer.from(replaceInvalid(code));
  const quiet = lexemes(lineFeeds(valid.toString('latin1')), language).filter(isQuiet);
  const text = valid.toString('utf8');
  const mixed = mixedLetters(text);
  const parts: string[] = [];
  const [starts, ends]: [number[], number[]] = [[], []];
  let [byte, unit, next] = [0, 0, 0];
  for (const char of text) {
    const end = byte + Buffer.byteLength(char);
    while ((quiet[next]?.end ?? Number.POSITIVE_INFINITY) <= byte) next++;
    const inQuiet = (quiet[next]?.start ?? Number.POSITIVE_INFINITY) <= byte;
    const plain = char < '\x7f' || (inQuiet ? !mixed.has(unit) : accented.test(char.normalize('NFD')));
    const part =
      char === '?' && code[byte] !== 0x3f
        ? `⟦0x${(code[byte] as number).toString(16).toUpperCase()}⟧`
        : char === '\r'
          ? text[unit + 1] === '\n'
            ? ''
            : '\n'
          : plain
            ? shownCharacter(char)
            : escaped(char);
    parts.push(part);
    for (let i = 0; i < part.length; i++) {
      starts.push(byte);
      ends.push(end);
    }
    byte = end;
    unit += char.length;
  }
  return { text: parts.join(''), starts: Int32Array.from(starts), ends: Int32Array.from(ends) };
}

/** Prose, with what is invisible in it shown. */
export function shownText(text: string): string {
  return [...lineFeeds(text).replaceAll('\r\n', '\n')].map(shownCharacter).join('');
}

const accented = /^[A-Za-z]\p{M}+$/u;
const isQuiet = ({ kind }: Lexeme): boolean => kind === 'comment' || kind === 'string';

const escaped = (char: string): string =>
  `⟦U+${(char.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}⟧`;

function shownCharacter(char: string): string {
  if (char === '\n' || char === '\t' || (char >= ' ' && char < '\x7f')) return char;
  return hidden.test(char) || /^[ -~]+$/.test(char.normalize('NFKC')) ? escaped(char) : char;
}

// Of no shape of their own, or that of a blank; U+2800 is a Braille cell without dots.
const hidden = /[\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800⟦⟧]/u;

/** Where letters of other scripts stand in words with ASCII letters. */
function mixedLetters(text: string): Set<number> {
  const places = new Set<number>();
  for (const { 0: word, index } of text.matchAll(/[\p{L}\p{N}\p{M}_]+/gu)) {
    if (!/[A-Za-z]/.test(word)) continue;
    for (const letter of word.matchAll(/[\p{L}\p{N}]/gu))
      if (!/[\p{Script=Latin}\p{ASCII}]/u.test(letter[0])) places.add(index + letter.index);
  }
  return places;
}
