import type { CodeLanguage, Span } from '../teacher/teacher.js';

/** A comment or a token of source text. Offsets are those of the text: bytes, where it is one character a byte. */
export interface Lexeme extends Span {
  kind: 'comment' | 'string' | 'word' | 'number' | 'mark';
  text: string;
  /** False for a comment or literal that does not end. */
  whole: boolean;
}

/** Reads C, C++ or Python as a row of lexemes, whether it parses or not. White space, and line breaks behind a backslash, are left out. */
export function lexemes(text: string, language: CodeLanguage): Lexeme[] {
  const { pattern, ends } = language === 'python' ? python : c;
  const found: Lexeme[] = [];
  for (const match of text.matchAll(pattern)) {
    const [kind, lexeme] = Object.entries(match.groups ?? {}).find(([, value]) => value !== undefined) ?? [];
    if (lexeme === undefined) continue;
    const whole = (kind !== 'comment' && kind !== 'string') || ends(lexeme);
    const start = match.index;
    found.push({ kind: kind as Lexeme['kind'], text: lexeme, start, end: start + lexeme.length, whole });
  }
  return found;
}

// Where an end is optional its lack ends the lexeme with its line, or with the text.
const numberPattern = String.raw`(?<number>\.?\d(?:[eEpP][+-]|[\w.]|(?<=\w)'(?=\w))*)`;
const wordPattern = String.raw`(?<word>[A-Za-z_$\x80-\uffff][\w$\x80-\uffff]*)`;
const markPattern = String.raw`(?<mark><<=|>>=|\*\*=|\/\/=|\.\.\.|->|\+\+|--|<<|>>|[-+*/%&|^<>=!]=|&&|\|\||::|##|[^\s\\])`;

const c = {
  pattern: new RegExp(
    [
      String.raw`(?<comment>\/\/(?:\\\r?\n|[^\n])*|\/\*[\s\S]*?(?:\*\/|$))`,
      String.raw`(?<string>(?:u8|[uUL])?R"(?<_>[^()\s\\]{0,16})\([\s\S]*?(?:\)\k<_>"|$)|(?:u8|[uUL])?(?:"(?:\\[\s\S]|[^"\\\n])*(?:"|$|(?=\n))|'(?:\\[\s\S]|[^'\\\n])*(?:'|$|(?=\n))))`,
      wordPattern,
      numberPattern,
      markPattern,
    ].join('|'),
    'g',
  ),
  ends: (text: string): boolean =>
    text.startsWith('//') || (text.startsWith('/*') ? /^\/\*[\s\S]*\*\/$/.test(text) && text.length > 3 : closed(text)),
};

const python = {
  pattern: new RegExp(
    [
      String.raw`(?<comment>#[^\n]*)`,
      String.raw`(?<string>[bBrRuUfF]{0,2}(?:"""(?:\\[\s\S]|[^\\])*?(?:"""|$)|'''(?:\\[\s\S]|[^\\])*?(?:'''|$)|"(?:\\[\s\S]|[^"\\\n])*(?:"|$|(?=\n))|'(?:\\[\s\S]|[^'\\\n])*(?:'|$|(?=\n))))`,
      wordPattern,
      numberPattern,
      markPattern,
    ].join('|'),
    'g',
  ),
  ends: (text: string): boolean => text.startsWith('#') || closed(text),
};

/** Whether a literal ends with the quote that it begins with. */
function closed(text: string): boolean {
  const open = /^\w*?(R"[^(]*\(|"""|'''|"|')/.exec(text)?.[0] ?? '';
  const quote = /"""|'''|"|'/.exec(open)?.[0] ?? '';
  if (open.includes('R"') && open.endsWith('(')) return text.endsWith(`)${open.slice(open.indexOf('"') + 1, -1)}"`);
  const body = text.slice(open.length);
  if (!body.endsWith(quote)) return false;
  let escapes = 0;
  while (body[body.length - quote.length - 1 - escapes] === '\\') escapes++;
  return escapes % 2 === 0;
}
