import { randomBytes } from 'node:crypto';
import colors from 'picocolors';

/**
 * Shows characters that could deceive a reader, or steer a terminal, as escapes: controls (`\x1b`), and what turns the direction of writing,
 * has no width or ends a line where none ends (`\u{202e}`).
 */
export function visible(text: string): string {
  return text.replaceAll(/(?![\t\n])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

const codes = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** Colours a text that {@link printable} will print. */
export type Paint = { readonly [name in keyof typeof codes]: (text: string) => string };

// No text that comes from outside can contain it, so no colour is anyone's but ours.
const mark = `colour ${randomBytes(12).toString('hex')} `;

export function paintOf(enabled: boolean = colors.isColorSupported): Paint {
  const painter = ([on, off]: readonly [number, number]): ((text: string) => string) =>
    enabled ? (text) => `${mark}${on}m${text}${mark}${off}m` : (text) => text;
  return Object.fromEntries(Object.entries(codes).map(([name, pair]) => [name, painter(pair)])) as Paint;
}

/** What may be written to a terminal: no control character but our own colours, tabs and line feeds. */
export function printable(text: string): string {
  const lines = text.replaceAll('\r\n', '\n');
  return visible(lines).replaceAll(new RegExp(`${mark}(\\d+)m`, 'g'), '\x1b[$1m');
}

/** JSON that is safe to show: what {@link visible} would escape is escaped as JSON does it. */
export function printableJson(value: unknown): string | undefined {
  const json: string | undefined = JSON.stringify(value);
  return json?.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(
      { length: character.length },
      (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
