import type { Language, SourceCode } from '../analyser.js';
import { DirectiveReader, evenLines, including, ordinary, type Part } from '../c/preprocessor.js';
import { lineFeeds } from '../syntax/bytes.js';

/**
 * A source as tools are to see it: without what tells them where they are, what to keep to themselves, or which other files to read. Every
 * byte stays where it is, and so does every line.
 *
 * `#line` and its like, pragmas that speak to a compiler alone, and definitions of the names that {@link shield} takes are blank. An `#include`
 * can name a header of the system and nothing else: another one is not found. Marks that silence tools are misspelt. What some tools take for
 * an end of line and others do not is what it is to gcc, or Python.
 */
export function neutral(code: Uint8Array, language: Language): Uint8Array {
  const text = Buffer.from(code).toString('latin1');
  const quiet = text
    .replace(/cppcheck-suppress/gi, (mark) => mark.replace(/s/i, '_'))
    .replace(/\bNOLINT/g, '_OLINT')
    .replace(/(#[ \t]*)(?:nosec|noqa)/gi, (mark, before: string) => `${before}_${mark.slice(before.length + 1)}`);
  const shown = language === 'python' ? lineFeeds(quiet) : withoutDirectives(evenly(quiet), language);
  return Buffer.from(shown, 'latin1');
}

/** The same of a source. */
export function neutralSource({ code, language }: SourceCode): SourceCode {
  return { code: neutral(code, language), language };
}

/** What C and C++ are to see before a source: the ways to silence a compiler that are no directives mean nothing. */
export const shield: readonly string[] = [
  '# 1 "unit"',
  '# 1 "shield.h" 1 3',
  '#undef _Pragma',
  '#define _Pragma(x)',
  '#undef __clang_analyzer__',
  '#define suppress srcode_suppress',
  '#define __suppress__ srcode_suppress',
  '#define analyzer_noreturn srcode_noreturn',
  '#define __analyzer_noreturn__ srcode_noreturn',
  '# 1 "unit" 2',
];

/** The names that the shield takes. A source that uses one otherwise must not share a unit. */
export const shielded: ReadonlySet<string> = new Set(shield.flatMap((line) => /^#\w+ (\w+)/.exec(line)?.[1] ?? []));

/** Bytes that some tools take for blanks or line breaks, and others do not. */
function evenly(text: string): string {
  return (
    evenLines(text)
      .replace(/^\xef\xbb\xbf/, '   ')
      .replaceAll('\0', ' ')
      // gcc knows no trigraphs.
      .replace(/\?\?(?=[/=])/g, '?_')
  );
}

function withoutDirectives(physical: string, language: 'c' | 'cpp'): string {
  const reader = new DirectiveReader(physical, language);
  const { text, at } = reader;
  const out = Buffer.from(physical, 'latin1');
  const put = (from: number, what: string): void => {
    for (let i = 0; i < what.length; i++) out[at[from + i] as number] = what.charCodeAt(i);
  };
  // Comments stay: they may go on for lines.
  const blank = (parts: readonly Part[]): void => {
    for (const { start, end } of parts) put(start, text.slice(start, end).replace(/[^\r\n]/g, ' '));
  };
  for (let directive = reader.next(); directive !== undefined; directive = reader.next()) {
    const [mark, ...words] = directive as [Part, ...Part[]];
    const [name = '', operand = ''] = words.map(({ start, end }) => text.slice(start, end));
    if (
      /^(?:line|ident|sccs|\d.*)$/.test(name) ||
      (name === 'pragma' && !meaningful.has(operand)) ||
      (/^(?:define|undef)$/.test(name) && shielded.has(operand))
    )
      blank([mark, ...words]);
    // What a macro names is not known: without it the directive is an error.
    else if (including.test(name) && words[1]?.kind !== 'header') blank(words.slice(1));
    for (const { start, end, kind } of words) if (kind === 'header') put(start, systemHeader(text.slice(start, end)));
  }
  // Not every tool knows raw strings in C.
  if (language === 'c') for (const { start, end } of reader.raws) put(start, ordinary(text.slice(start, end)));
  return out.toString('latin1');
}

/** Pragmas that change what a program does, not what is said of it. */
const meaningful: ReadonlySet<string> = new Set(
  'once pack STDC omp push_macro pop_macro weak redefine_extname'.split(' '),
);

/** `"stdio.h"` as `<stdio.h>`, which no file beside the source is; what leaves the folders of headers as a name that none has. */
function systemHeader(header: string): string {
  const name = header.replace(/^["<]|[">]$/g, '');
  const own = /^\w[\w.+-]*(?:\/\w[\w.+-]*)*$/.test(name) ? name : name.replace(/\W/g, '_');
  return `<${own}${'>'.repeat(header.length - own.length - 1)}`;
}
