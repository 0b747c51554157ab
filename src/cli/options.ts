import { lastGiven } from './command.js';

/** Options that several commands have, as yargs takes them. */
export const modelOption = {
  type: 'string',
  default: 'tiny',
  requiresArg: true,
  describe: '"tiny" or a Hugging Face model folder',
} as const;

export const adapterOption = {
  type: 'string',
  requiresArg: true,
  describe: 'PEFT folder, a LoRA checkpoint for one',
} as const;

export const threadsOption = {
  type: 'number',
  default: 0,
  requiresArg: true,
  describe: 'compute threads; 0: one per usable core',
} as const;

export const taskOption: {
  coerce: (value: string | string[]) => string;
  type: 'string';
  default: string;
  requiresArg: true;
  describe: string;
} = {
  coerce: lastGiven<string>,
  type: 'string',
  default: 'family',
  requiresArg: true,
  describe: '"family", pairs:FILE, or a module (.js, .mjs) whose default export is a Task',
};

export const verdictSeedOption = {
  type: 'number',
  default: 0,
  requiresArg: true,
  describe: 'draws the inputs that programs of task family are judged on',
} as const;

export const unsafeOption = {
  type: 'boolean',
  default: false,
  describe: 'run the programs even where no isolation works: they may do all that you may',
} as const;
