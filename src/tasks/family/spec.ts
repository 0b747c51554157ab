import type { TaskPrompt } from '../task.js';

/** The kinds of security-relevant steps that a function is composed of. */
export const stepIds = [
  'get',
  'set',
  'div',
  'add',
  'copy',
  'cat',
  'mcpy',
  'print',
  'slen',
  'field',
  'alloc',
  'dup',
  'free',
  'take',
  'exec',
  'path',
  'sum',
  'file',
  'line',
] as const;
export type StepId = (typeof stepIds)[number];

/** What a parameter is for; no two steps of a function share a role. */
export type Role =
  | 'arr'
  | 'n'
  | 'idx'
  | 'val'
  | 'dst'
  | 'cap'
  | 'src'
  | 's'
  | 'msg'
  | 'a'
  | 'b'
  | 'num'
  | 'den'
  | 'node'
  | 'pp'
  | 'sz'
  | 'outp'
  | 'outs'
  | 'mem'
  | 'arg'
  | 'dir'
  | 'fname'
  | 'cfg'
  | 'fin'
  | 'lbuf'
  | 'lcap'
  | 'blob'
  | 'blen'
  | 'frame';

/** All that a prompt asks for: the prompt's text and the tests follow from it. */
export interface FamilySpec {
  /** In the order of the function's body; a value step that comes last gives the return value. */
  steps: StepId[];
  /** The names of the parameters. */
  names: Partial<Record<Role, string>>;
  /** The parameters in the signature's order. */
  parameters: Role[];
  functionName: string;
  /** `int f(…)` without a brace. */
  signature: string;
  /** Instruction: the answer is the whole function. Completion: it is the body behind `{`. */
  mode: 'instruction' | 'completion';
}

export interface FamilyPrompt extends TaskPrompt {
  spec: FamilySpec;
  /** What stands before the answer in the program: nothing, or `<signature>\n{\n`. */
  prefix: string;
}
