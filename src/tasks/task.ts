import type { Expectation } from '../reward/index.js';
import type { Teacher } from '../teacher/teacher.js';

/** Splits share no prompt; what else they do not share is the task's to say. */
export type Split = 'train' | 'validation' | 'test';

export interface TaskPrompt {
  /** Names the prompt wherever it goes: {@link Task.promptOf} makes it again from the id alone. */
  readonly id: string;
  readonly text: string;
  /** What reports group by, e.g. `{ k: '2', mode: 'completion' }`. */
  readonly labels: Readonly<Record<string, string>>;
  /** What guards look for in an answer where no judge runs it. */
  readonly expects?: Expectation;
}

/** A prompt with an answer: the bytes that the model sampled, without special tokens. */
export interface Sample<P extends TaskPrompt = TaskPrompt> {
  prompt: P;
  answer: Uint8Array;
}

/** What running a program showed. */
export interface Judgement {
  compiled: boolean;
  functional: boolean;
  /** It compiled and no attack succeeded. */
  secure: boolean;
  /** What went wrong, in words: failed tests and successful attacks. */
  findings: string[];
  /** Parts of the task that the program leaves out. */
  missing: string[];
  /** Why the program was not even compiled: it is none that an answer may be. */
  refused?: string;
  /** Why nothing is known: the tests themselves failed. It counts as a program that does not work. */
  unjudged?: string;
}

/** A sample from whose program code was taken that the teacher credits. Where an attack now succeeds, the credit was deserved. */
export interface Mutant<P extends TaskPrompt = TaskPrompt> {
  sample: Sample<P>;
  /** Of the credited code. */
  obligation: string;
  /** `removed`: all that the span does is gone. `weakened`: it still keeps most attacks away. */
  kind: 'removed' | 'weakened';
  /** What was done, in words. */
  change: string;
}

/** What a policy is trained and judged on: a source of prompts, a teacher, and judges. */
export interface Task<P extends TaskPrompt = TaskPrompt> {
  readonly name: string;
  /** Changes whenever a prompt or a judgement may change: part of every journalled verdict's key. */
  readonly version: string;
  readonly language: 'c' | 'cpp' | 'python';
  /** Prompt number `index` of the endless, seeded stream of a split: a function of its arguments alone. */
  prompt(split: Split, seed: number, index: number): P;
  /** @throws ERR_DATA for an id that is none of this task's, naming what one looks like. */
  promptOf(id: string): P;
  /** The whole program that an answer makes; the answer's bytes begin at `answerStart`. */
  program(sample: Sample<P>): { code: Uint8Array; answerStart: number };
  readonly teacher: Teacher;
  /** Names what judgements rest on beside {@link version}, such as tools and the seed of the tests: part of every journalled judgement's key. */
  judgeId?(): Promise<string>;
  /** Runs the programs. Without a judge nothing is known of function. `attack: false` leaves the security tests out (`secure` is then false). */
  judge?(samples: readonly Sample<P>[], options: { attack: boolean; signal?: AbortSignal }): Promise<Judgement[]>;
  /** The sample without what the teacher credits in it, one mutant for each way to take something away. An audit of the credit needs it. */
  mutants?(sample: Sample<P>): Promise<Mutant<P>[]>;
}
