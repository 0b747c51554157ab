import { createHash } from 'node:crypto';

export type Language = 'c' | 'cpp' | 'python';

/** A function before and after a security fix. */
export interface FunctionPair {
  project: string;
  commit: string;
  /** As far as the text shows it. */
  functionName: string | null;
  fileName: string | null;
  /** Null for a file name that says another language. */
  language: Language | null;
  /** `CWE-79`, …; empty when unknown. */
  cwe: string[];
  cve: string | null;
  /** The vulnerable text. */
  before: string;
  /** The fixed text. */
  after: string;
  /** `functionHash` of both: equal for texts that differ in white space alone. */
  beforeHash: string;
  afterHash: string;
  /** `file:line` of the vulnerable row. */
  where: string;
}

/** MD5 of a text as a decimal integer, the form of PrimeVul's hashes. */
export function md5Integer(text: string): string {
  return BigInt(`0x${createHash('md5').update(text, 'utf8').digest('hex')}`).toString();
}

/** PrimeVul's `func_hash`: equal for functions that differ in white space alone. */
export function functionHash(text: string): string {
  return md5Integer(text.replace(/\s/gu, ''));
}

/** The name in front of the first parameter list, for telling the functions of one commit apart; null when there is none. */
export function functionName(text: string): string | null {
  const plain = text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|^[ \t]*#[^\n]*/gm, ' ');
  for (const [, name] of plain.matchAll(/([A-Za-z_~][\w:~]*)\s*\(/g))
    if (name && !['__attribute__', '__declspec', 'defined', 'if', 'while', 'for', 'switch'].includes(name)) return name;
  return null;
}

/** PrimeVul and SVEN hold C where no file is named. */
export function languageOf(fileName: string | null): Language | null {
  if (!fileName?.includes('.')) return 'c';
  return LANGUAGES[fileName.slice(fileName.lastIndexOf('.') + 1)] ?? null;
}

const LANGUAGES: Record<string, Language> = {
  c: 'c',
  h: 'c',
  C: 'cpp',
  cc: 'cpp',
  cpp: 'cpp',
  cxx: 'cpp',
  hh: 'cpp',
  hpp: 'cpp',
  hxx: 'cpp',
  inl: 'cpp',
  py: 'python',
}; // prettier-ignore

/** `cwe-079`, `CWE-79` → `CWE-79`; anything else (`NVD-CWE-noinfo`) is left out, and so are repeats. */
export function cweNames(names: string | readonly string[] | null | undefined): string[] {
  const list = typeof names === 'string' ? names.split(/[,;\s]+/) : (names ?? []);
  const numbers = list.flatMap((name) => /^cwe-0*([1-9]\d*)$/i.exec(name.trim())?.[1] ?? []);
  return [...new Set(numbers.map((number) => `CWE-${number}`))];
}
