import type { Token } from './lexer.js';
import { allowedHeaders } from './library.js';
import { featureMacros, type Given, refuseMacroName, refuseWord, truths } from './names.js';
import { refuse } from './refused.js';

/**
 * What a text may be once macros are replaced; more is refused before it is made. It is twenty times the longest program of CASTLE, and
 * statements without end that take gcc and its sanitizers seven seconds, in time that grows with the square of their number.
 */
export const mostTokens = 16384;
export const mostBytes: number = 2 ** 20;

const tooMuch = `more than ${mostTokens} tokens or ${mostBytes} bytes, with macros replaced`;

const deepest = 64;

interface Macro {
  /** Undefined for a macro without parentheses. */
  parameters: readonly string[] | undefined;
  variadic: boolean;
  body: readonly Token[];
}

/**
 * Carries out the directives of an answer and replaces its macros, as the compiler does. Only what has one meaning is carried out: an
 * answer's macros are defined once, before they are used and behind all `#include`; they hold whole brackets, do not lead to themselves,
 * and their calls lie in one piece. The headers' own macros stay as they are.
 */
export function preprocessed(tokens: readonly Token[], given: Given): Token[] {
  const macros = new Map<string, Macro>();
  const text: Token[] = [];
  const seen = new Set<string>();
  let round = 0;
  for (let at = 0; at < tokens.length; ) {
    const token = tokens[at] as Token;
    if (!token.first || (token.kind !== 'include' && token.text !== '#')) {
      if (token.kind === 'word') {
        refuseWord(token);
        see(token.text, seen, macros);
      } else if (token.kind === 'mark') {
        if (token.text === '#' || token.text === '##') refuse(token.line, `\`${token.text}\` inside a line`);
        if (token.text === '(') round++;
        else if (token.text === ')') round--;
      }
      text.push(token);
      at++;
      continue;
    }
    let end = at + 1;
    while (!(tokens[end] as Token).first) end++;
    const line = tokens.slice(at, end);
    if (round > 0) refuse(token.line, 'a directive between parentheses');
    if (token.kind === 'include') include(line, macros);
    else define(line, macros, seen, given);
    at = end;
  }
  return new Expansion(macros).all(text);
}

/** Notes a word and, where it is a macro, those that its replacement may hold: a macro of later on does not count for them. */
function see(word: string, seen: Set<string>, macros: ReadonlyMap<string, Macro>): void {
  if (seen.has(word)) return;
  seen.add(word);
  const pending = [...(macros.get(word)?.body ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind !== 'word' || seen.has(next.text)) continue;
    seen.add(next.text);
    for (const one of macros.get(next.text)?.body ?? []) pending.push(one);
  }
}

function include([{ text, line } = {} as Token, more]: readonly Token[], macros: ReadonlyMap<string, Macro>): void {
  if (!allowedHeaders.includes(text)) refuse(line, `\`#include <${text}>\`, which is none of the allowed headers`);
  if (more !== undefined) refuse(line, 'more than a header in `#include`');
  if (macros.size > 0) refuse(line, '`#include` behind a macro: headers come first');
}

function define(line: readonly Token[], macros: Map<string, Macro>, seen: ReadonlySet<string>, given: Given): void {
  const [hash, directive, name, ...rest] = line as [Token, Token?, Token?, ...Token[]];
  if (directive?.text !== 'define') {
    const what = directive === undefined ? '`#` without a directive' : `the directive \`#${directive.text}\``;
    refuse(hash.line, `${what}: only \`#include <…>\` and \`#define\``);
  }
  if (name?.kind !== 'word') refuse(hash.line, '`#define` without a name');
  if (featureMacros.has(name.text)) {
    if (rest.length > 1 || (rest[0] !== undefined && !/^\d+L?$/.test(rest[0].text)))
      refuse(hash.line, `\`${name.text}\` as anything but a number`);
    return;
  }
  refuseWord(name);
  refuseMacroName(name, given);
  const truth = truths.get(name.text);
  if (truth !== undefined && rest.map(({ text }) => text).join('') !== truth)
    refuse(name.line, `\`${name.text}\` as anything but ${truth}`);
  if (macros.has(name.text)) refuse(name.line, `a second macro \`${name.text}\``);
  if (seen.has(name.text)) refuse(name.line, `the macro \`${name.text}\` behind a use of its name`);
  macros.set(name.text, macroOf(name, rest));
}

function macroOf({ text: name, line }: Token, rest: readonly Token[]): Macro {
  const [open] = rest;
  const called = open?.text === '(' && !open.spaced;
  if (open !== undefined && !called && !open.spaced) refuse(line, `no space behind the macro \`${name}\``);
  const close = called ? rest.findIndex(({ text }) => text === ')') : -1;
  if (called && close < 0) refuse(line, `the macro \`${name}\` without a \`)\``);
  const list = called ? rest.slice(1, close) : [];
  const body = called ? rest.slice(close + 1) : rest;
  const parameters = list.filter((_, i) => i % 2 === 0).map(({ text }) => text);
  const variadic = parameters.at(-1) === '...';
  for (const [i, token] of list.entries()) {
    const last = i === list.length - 1;
    const right = i % 2 === 1 ? token.text === ',' && !last : token.kind === 'word' || (token.text === '...' && last);
    if (!right) refuse(line, `the parameters of the macro \`${name}\``);
    if (token.kind === 'word') refuseWord(token);
  }
  if (variadic) parameters[parameters.length - 1] = '__VA_ARGS__';
  if (new Set(parameters).size < parameters.length || list.some(({ text }) => text === '__VA_ARGS__'))
    refuse(line, `the parameters of the macro \`${name}\``);
  refuseBody(name, body, variadic);
  return { parameters: called ? parameters : undefined, variadic, body };
}

function refuseBody(name: string, body: readonly Token[], variadic: boolean): void {
  const open: string[] = [];
  for (const token of body) {
    const { kind, text, line } = token;
    if (kind === 'word') {
      refuseWord(token);
      if (text === '__VA_ARGS__' && !variadic) refuse(line, '`__VA_ARGS__` outside of a macro with `...`');
    }
    if (kind === 'include' || text === '#' || text === '##') refuse(line, `\`#\` in the macro \`${name}\``);
    const closer = closers.get(text);
    if (closer !== undefined) open.push(closer);
    else if ((text === ')' || text === ']' || text === '}') && open.pop() !== text)
      refuse(line, `a \`${text}\` in the macro \`${name}\` that closes nothing there`);
  }
  if (open.length > 0) refuse(body.at(-1)?.line ?? 0, `no \`${open.at(-1)}\` in the macro \`${name}\``);
}

const closers: ReadonlyMap<string, string> = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
]);

class Expansion {
  readonly #macros: ReadonlyMap<string, Macro>;
  #tokens = 0;
  #bytes = 0;
  #depth = 0;

  constructor(macros: ReadonlyMap<string, Macro>) {
    this.#macros = macros;
  }

  all(tokens: readonly Token[]): Token[] {
    for (const token of tokens) this.#count(token);
    if (this.#macros.size === 0) return [...tokens];
    return this.#expand(tokens, []);
  }

  #count({ text, line }: Token): void {
    this.#tokens++;
    this.#bytes += text.length + 1;
    if (this.#tokens > mostTokens || this.#bytes > mostBytes) refuse(line, tooMuch);
  }

  /** @param active - The macros whose replacement this is, outermost first. */
  #expand(tokens: readonly Token[], active: readonly string[]): Token[] {
    if (++this.#depth > deepest) refuse(tokens[0]?.line ?? 1, `macros in more than ${deepest} macros`);
    const out: Token[] = [];
    for (let at = 0; at < tokens.length; at++) {
      const token = tokens[at] as Token;
      const macro = token.kind === 'word' ? this.#macros.get(token.text) : undefined;
      if (macro === undefined) {
        out.push(token);
        continue;
      }
      const { text: name, line } = token;
      if (active.includes(name)) refuse(line, `the macro \`${name}\` leads to itself`);
      let body = macro.body;
      if (macro.parameters !== undefined) {
        const open = tokens[at + 1];
        if (open?.text !== '(') refuse(line, `the macro \`${name}\` without its arguments`);
        const { args, end } = argumentsAt(tokens, at + 1, name);
        body = this.#substitute(macro, this.#bound(macro, args, token), active);
        at = end;
      }
      const placed = body.map((one) => ({ ...one, line, first: false }));
      for (const one of placed) this.#count(one);
      for (const one of this.#expand(placed, [...active, name])) out.push(one);
    }
    this.#depth--;
    return out;
  }

  #bound({ parameters = [], variadic }: Macro, args: Token[][], { text, line }: Token): Map<string, Token[]> {
    // M() gives a macro of no parameters none, and one of one parameter an empty one.
    const given = parameters.length === 0 && args.length === 1 && args[0]?.length === 0 ? [] : args;
    const fixed = variadic ? parameters.length - 1 : parameters.length;
    if (variadic ? given.length < fixed : given.length !== fixed)
      refuse(line, `${given.length} arguments of the macro \`${text}\``);
    const bound = new Map<string, Token[]>();
    for (let i = 0; i < fixed; i++) bound.set(parameters[i] as string, given[i] as Token[]);
    if (variadic) {
      const rest: Token[] = [];
      for (const [i, argument] of given.slice(fixed).entries()) {
        if (i > 0) rest.push({ kind: 'mark', text: ',', line, spaced: false, first: false });
        rest.push(...argument);
      }
      bound.set('__VA_ARGS__', rest);
    }
    return bound;
  }

  #substitute({ body }: Macro, bound: ReadonlyMap<string, Token[]>, active: readonly string[]): Token[] {
    const expanded = new Map<string, Token[]>();
    const out: Token[] = [];
    for (const token of body) {
      const argument = token.kind === 'word' ? bound.get(token.text) : undefined;
      if (argument === undefined) {
        out.push(token);
        continue;
      }
      let whole = expanded.get(token.text);
      if (whole === undefined) {
        whole = this.#expand(argument, active);
        expanded.set(token.text, whole);
      }
      for (const one of whole) out.push(one);
      if (out.length > mostTokens) refuse(token.line, tooMuch);
    }
    return out;
  }
}

function argumentsAt(tokens: readonly Token[], open: number, name: string): { args: Token[][]; end: number } {
  const args: Token[][] = [[]];
  let depth = 0;
  for (let at = open; at < tokens.length; at++) {
    const token = tokens[at] as Token;
    if (token.kind === 'mark') {
      if (token.text === '(') {
        if (depth++ === 0) continue;
      } else if (token.text === ')') {
        if (--depth === 0) return { args, end: at };
      } else if (token.text === ',' && depth === 1) {
        args.push([]);
        continue;
      }
    }
    args.at(-1)?.push(token);
  }
  return refuse(tokens[open]?.line ?? 0, `the call of the macro \`${name}\` without an end`);
}
