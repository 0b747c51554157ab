import type { Phases } from '../phases.js';

/** UTF-8 bytes [start, end) of the code that was judged. */
export interface Span {
  start: number;
  end: number;
}

export type Severity = 'high' | 'medium' | 'low';
export type Cwe = `CWE-${number}`;

/** A vulnerability. */
export interface Finding {
  cwe: Cwe;
  severity: Severity;
  span: Span;
  /** The rule that found it. */
  rule: string;
  message: string;
}

/** Code that implements security. Spans of one obligation (one flaw that they keep away together) share its id. */
export interface SecureSpan {
  span: Span;
  /** What kind of defence: `bounds`, `null`, `format`, … */
  kind: string;
  obligation: string;
}

/** Code that pretends: a guard that repeats another one, or that checks something unrelated to the obligations. */
export interface IdleGuard {
  span: Span;
  why: 'repeated' | 'foreign';
}

export interface Verdict {
  spans: SecureSpan[];
  findings: Finding[];
  idle: IdleGuard[];
  /** Things that the task asks for and the code does not do: neither secure nor vulnerable. */
  missing: string[];
  parseOk: boolean;
  /** The teacher could not judge the code: that it found nothing says nothing. */
  silent?: true;
  /** What the teacher counted about its own work, such as quotes that it could not find; runs log the means as `teacher/<name>`. */
  counts?: Readonly<Record<string, number>>;
}

export type CodeLanguage = 'c' | 'cpp' | 'python';

export interface JudgeOptions {
  signal?: AbortSignal | undefined;
  /** Where a teacher may say what its time went into. */
  phases?: Phases | undefined;
}

/** Marks which bytes of a program make it secure, and which flaws it has. */
export interface Teacher {
  /** Name and version: part of every cached verdict's key. */
  readonly id: string;
  /** Its verdict depends on the code and its language alone, whatever they were asked for. */
  readonly byContent?: boolean;
  judge(code: Uint8Array, about: { language: CodeLanguage; task?: unknown }, options?: JudgeOptions): Promise<Verdict>;
}
