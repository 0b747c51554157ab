import { characters as charactersOf, literal } from '../c/literals.js';
import type { CNode } from '../c/syntax.js';
import { once } from '../names.js';
import type { Program } from './program.js';
import { pointerTo } from './symbols.js';
import { type CType, charType, intType, longType } from './types.js';
import { constant, plain, type Region, Source, type Value } from './values.js';
import type { Walk } from './walk.js';

export const numberLiteral: (text: string) => Value = once((text) => {
  const value = literal(text);
  if (value !== undefined) {
    const { bits, signed } = value.type;
    return plain(constant(Number(value.value)), { kind: 'int', bytes: bits / 8, signed, char: false }, Source.own);
  }
  const float = Number.parseFloat(text);
  const bytes = /f$/i.test(text) ? 4 : 8;
  return plain(constant(Number.isNaN(float) ? 0 : float), { kind: 'float', bytes }, Source.own);
});

/** A pointer to a string literal. */
export function stringLiteral(walk: Walk, node: CNode): Value {
  const text = walk.stringOf(node) ?? '';
  const region: Region = {
    id: `"${node.start}`,
    kind: 'literal',
    size: constant(text.length + 1),
    type: { kind: 'array', of: charType, length: text.length + 1 },
    node,
    text,
    frame: 0,
  };
  return pointerTo(region);
}

/** The characters of a string literal, or of a macro that is one. */
export function stringOf(program: Program, node: CNode): string | undefined {
  if (node.type === 'parenthesized_expression' && node.children.length === 1)
    return stringOf(program, node.children[0] as CNode);
  if (node.type === 'string_literal') return spelled(program.text(node).replace(/^(L|u8|u|U)?"|"$/g, ''));
  if (node.type === 'concatenated_string') {
    const parts = node.children.map((part) =>
      part.type === 'identifier' ? macroText(program, program.text(part)) : stringOf(program, part),
    );
    return parts.map((part) => part ?? '').join('');
  }
  if (node.type === 'identifier') return macroText(program, program.text(node));
  return undefined;
}

function macroText(program: Program, name: string): string | undefined {
  const text = program.macros.get(name);
  if (text === undefined || !/^"([^"\\]|\\.)*"$/.test(text)) return undefined;
  return spelled(text.slice(1, -1));
}

// One by one: a call cannot take as many arguments as a literal can have characters.
function spelled(inside: string): string {
  return charactersOf(inside)
    .map((code) => String.fromCharCode(code))
    .join('');
}

/** What a macro within a macro counts for. */
const macroLevels = 10;

/** The value of a macro without parameters; undefined where its text is neither a number nor a string. */
export function macroValue(walk: Walk, name: string, node: CNode): Value | undefined {
  const kept = walk.macroValues.get(name);
  if (kept !== undefined) return kept ?? undefined;
  walk.macroValues.set(name, null);
  const text = walk.program.macros.get(name);
  if (text === undefined) return undefined;
  const string = macroText(walk.program, name);
  const value =
    string === undefined ? walk.elsewhere(macroLevels, () => arithmeticText(walk, text)) : literalText(string, node);
  walk.macroValues.set(name, value ?? null);
  return value;
}

function literalText(text: string, node: CNode): Value {
  const type: CType = { kind: 'array', of: charType, length: text.length + 1 };
  return pointerTo({
    id: `"${text}`,
    kind: 'literal',
    size: constant(text.length + 1),
    type,
    node,
    text,
    frame: 0,
  });
}

// A macro's text as a number: sums and products of literals and other macros.
function arithmeticText(walk: Walk, text: string): Value | undefined {
  const plain = text.replace(/[A-Za-z_]\w*/g, (name) => {
    if (/^0x/i.test(name)) return name;
    const value =
      (Object.hasOwn(knownConstants, name) ? knownConstants[name] : undefined) ?? walk.program.enumerators.get(name);
    if (value !== undefined) return String(value);
    const other = macroValue(walk, name, walk.program.source.root);
    return other !== undefined && other.number.symbol === 0 && other.targets.length === 0
      ? String(other.number.offset)
      : `?${name}`;
  });
  const number = literal(text);
  if (number !== undefined) return numberLiteral(text);
  if (plain.includes('?') || !/^[\d\s+\-*/()<.eE]+$/.test(plain) || plain.length > 80) {
    return /^[\d.]+f?$/.test(text) ? numberLiteral(text) : undefined;
  }
  const value = arithmetic(plain);
  return value === undefined ? undefined : walk.constant(value, Math.abs(value) >= 2 ** 31 ? longType : intType);
}

export const knownConstants: Readonly<Record<string, number>> = {
  NULL: 0,
  EOF: -1,
  INT_MAX: 2 ** 31 - 1,
  INT_MIN: -(2 ** 31),
  UINT_MAX: 2 ** 32 - 1,
  LONG_MAX: 2 ** 63,
  LONG_MIN: -(2 ** 63),
  ULONG_MAX: 2 ** 64,
  SIZE_MAX: 2 ** 64,
  SSIZE_MAX: 2 ** 63,
  CHAR_MAX: 127,
  SHRT_MAX: 32767,
  USHRT_MAX: 65535,
  UINT8_MAX: 255,
  UINT16_MAX: 65535,
  INT32_MAX: 2 ** 31 - 1,
  UINT32_MAX: 2 ** 32 - 1,
  PATH_MAX: 4096,
  FILENAME_MAX: 4096,
  BUFSIZ: 8192,
  NAME_MAX: 255,
  EXIT_SUCCESS: 0,
  EXIT_FAILURE: 1,
  STDIN_FILENO: 0,
  STDOUT_FILENO: 1,
};

// A small sum of a macro: numbers, + - * / ( ) and shifts.
function arithmetic(text: string): number | undefined {
  let at = 0;
  const skip = (): void => {
    while (text[at] === ' ') at++;
  };
  const atom = (): number => {
    skip();
    if (text[at] === '(') {
      at++;
      const value = sum();
      skip();
      at++;
      return value;
    }
    if (text[at] === '-') {
      at++;
      return -atom();
    }
    const match = /^[\d.]+/.exec(text.slice(at));
    at += match?.[0].length ?? 1;
    return match === null ? Number.NaN : Number(match[0]);
  };
  const term = (): number => {
    let value = atom();
    for (skip(); text[at] === '*' || text[at] === '/'; skip())
      value = text[at++] === '*' ? value * atom() : Math.trunc(value / atom());
    return value;
  };
  const plain = (): number => {
    let value = term();
    for (skip(); text[at] === '+' || text[at] === '-'; skip())
      value = text[at++] === '+' ? value + term() : value - term();
    return value;
  };
  const sum = (): number => {
    let value = plain();
    for (skip(); text.startsWith('<<', at); skip()) {
      at += 2;
      value *= 2 ** plain();
    }
    return value;
  };
  const value = sum();
  skip();
  return at >= text.length && Number.isFinite(value) ? value : undefined;
}
