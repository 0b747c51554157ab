import { CParser } from '../analysis/c/syntax.js';
import { type Lexeme, lexemes } from '../analysis/lexemes.js';
import { PythonParser } from '../analysis/python/syntax.js';
import type { GuardOptions } from '../config/reward-options.js';
import type { CodeLanguage } from '../teacher/teacher.js';

/** What an honest answer to a prompt has; whatever is left out is not asked for. */
export interface Expectation {
  /** An answer that does what was asked, secure or not: others are to be like it in size and words. */
  reference?: string;
  /** `int f(int n)`, which the program is to define. */
  signature?: string;
  /** Functions that the answer is to call. */
  calls?: readonly string[];
}

/** An answer in its program. */
export interface GuardedAnswer {
  code: Uint8Array;
  /** Bytes [answerStart, answerEnd) of `code` are the answer. */
  answerStart: number;
  answerEnd: number;
  language: CodeLanguage;
  /** It ended by itself, not by its longest length. */
  finished: boolean;
  expects: Expectation | undefined;
}

export type Guard = 'finished' | 'parse' | 'length' | 'signature' | 'calls' | 'similarity';

/** Where nothing runs an answer, this tells one that tries from one that is safe because it does nothing. */
export interface GuardReport {
  /** Guards that apply to the answer. */
  applied: Guard[];
  failed: Guard[];
}

/** Code of fewer tokens than this is trivial, where there is no reference to say how much is needed. */
const fewest = 10;

/** Looks at each answer for what an honest one has. */
export async function guardAnswers(answers: readonly GuardedAnswer[], options: GuardOptions): Promise<GuardReport[]> {
  const parsers = new Map<CodeLanguage, CParser | PythonParser>();
  for (const language of new Set(answers.map(({ language }) => language)))
    parsers.set(language, language === 'python' ? await PythonParser.load() : await CParser.load(language));
  return answers.map((answer) => guard(answer, options, parsers.get(answer.language) as CParser | PythonParser));
}

function guard(answer: GuardedAnswer, options: GuardOptions, parser: CParser | PythonParser): GuardReport {
  const { code, answerStart, answerEnd, language, expects: { reference, signature, calls } = {} } = answer;
  const read = (text: string): Lexeme[] => lexemes(text, language);
  const text = Buffer.from(code).toString('latin1');
  const program = read(text);
  const head = signature === undefined ? [] : headOf(words(read(signature)));
  // What the prompt gives away proves nothing.
  const own = without(head, words(program.filter(({ start, end }) => start >= answerStart && end <= answerEnd)));
  const wanted =
    reference === undefined ? undefined : without(head, words(read(Buffer.from(reference).toString('latin1'))));
  const place = (part: string): Uint8Array =>
    Buffer.from(text.slice(0, answerStart) + part + text.slice(answerEnd), 'latin1');

  const parses = (): boolean => {
    if (!balanced(program)) return false;
    if (parser.parse(code).parseOk) return true;
    // Real code is full of macros that no parser knows without its headers: then only brackets and literals say something.
    return reference !== undefined && !parser.parse(place(Buffer.from(reference).toString('latin1'))).parseOk;
  };
  const size = wanted === undefined ? undefined : own.length / Math.max(1, wanted.length);
  const checks: [Guard, boolean | undefined][] = [
    ['finished', answer.finished],
    ['parse', parses()],
    ['length', size === undefined ? own.length >= fewest : size >= options.shortest && size <= options.longest],
    ['signature', signature === undefined ? undefined : defines(words(program), head, language)],
    ['calls', calls === undefined ? undefined : calls.every((name) => isCalled(own, name))],
    ['similarity', wanted === undefined ? undefined : similarity(own, wanted) >= options.similarity],
  ];
  const applied = checks.filter(([, passed]) => passed !== undefined);
  return {
    applied: applied.map(([name]) => name),
    failed: applied.filter(([, passed]) => passed === false).map(([name]) => name),
  };
}

/** Between -1, failing all guards, and 1, passing all: a failure is worth more the more it passes, and never more than nothing. */
export function guardGrade({ applied, failed }: GuardReport): number {
  return failed.length === 0 ? 1 : -failed.length / applied.length;
}

/** What stands in the code, comments left out. */
function words(found: readonly Lexeme[]): string[] {
  return found.filter(({ kind }) => kind !== 'comment').map(({ text }) => text);
}

function balanced(found: readonly Lexeme[]): boolean {
  const open: string[] = [];
  for (const { kind, text, whole } of found) {
    if (!whole) return false;
    if (kind !== 'mark') continue;
    const closing = pairs[text];
    if (closing !== undefined) open.push(closing);
    else if ((text === ')' || text === ']' || text === '}') && open.pop() !== text) return false;
  }
  return open.length === 0;
}

const pairs: { [open: string]: string } = { '(': ')', '[': ']', '{': '}' };

/** A signature without what may follow it. */
function headOf(signature: readonly string[]): readonly string[] {
  return /^[;{:]$/.test(signature.at(-1) ?? '') ? signature.slice(0, -1) : signature;
}

/** Where a row of tokens stands in another. */
function placesOf(row: readonly string[], code: readonly string[]): number[] {
  return row.length === 0 ? [] : code.flatMap((_, i) => (row.every((word, j) => code[i + j] === word) ? [i] : []));
}

function without(head: readonly string[], code: readonly string[]): readonly string[] {
  const [at] = placesOf(head, code);
  return at === undefined ? code : [...code.slice(0, at), ...code.slice(at + head.length)];
}

/** The signature, with a body behind it, once. */
function defines(program: readonly string[], head: readonly string[], language: CodeLanguage): boolean {
  return placesOf([...head, language === 'python' ? ':' : '{'], program).length === 1;
}

function isCalled(code: readonly string[], name: string): boolean {
  return code.some((word, i) => word === name && code[i + 1] === '(');
}

/** Dice's coefficient of the pairs of neighbouring tokens, repeats counted: 1 for the same tokens, 0 for no pair in common. */
export function similarity(a: readonly string[], b: readonly string[]): number {
  const [left, right] = [neighbours(a), neighbours(b)];
  let common = 0;
  for (const [pair, count] of left) common += Math.min(count, right.get(pair) ?? 0);
  const all = Math.max(0, a.length - 1) + Math.max(0, b.length - 1);
  return all === 0 ? Number(a.join() === b.join()) : (2 * common) / all;
}

function neighbours(code: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 1; i < code.length; i++) {
    const pair = `${code[i - 1]}\n${code[i]}`;
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  return counts;
}
