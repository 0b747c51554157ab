import { Sandbox } from '../../sandbox/index.js';
import type { Task } from '../task.js';
import { judgeFamily, judgeVersion, toolchainId } from './judge/index.js';
import { familyMutants } from './mutants.js';
import { familyProgram, familyPrompt, familyPromptOf, familyVersion } from './prompts.js';
import type { FamilyPrompt } from './spec.js';
import { familyTeacher } from './teacher.js';

/** The embedded tasks: short C functions that a program is asked for, run against functional tests and attacks. */
export interface FamilyTask extends Task<FamilyPrompt> {
  judge: NonNullable<Task<FamilyPrompt>['judge']>;
}

/** How the embedded tasks are judged. */
export interface FamilyOptions {
  /** Run programs even where no isolation works. */
  unsafe?: boolean | undefined;
  /** Draws the inputs that programs are judged on; default 0. */
  verdictSeed?: number | undefined;
}

/** The embedded task family. Its judge opens a sandbox when it is first asked. */
export function familyTask({ unsafe = false, verdictSeed = 0 }: FamilyOptions = {}): FamilyTask {
  let opened: Promise<Sandbox> | undefined;
  const open = (): Promise<Sandbox> => {
    opened ??= Sandbox.open({ unsafe });
    return opened;
  };
  return {
    name: 'family',
    version: `${familyVersion}.${judgeVersion}`,
    language: 'c',
    prompt: familyPrompt,
    promptOf: familyPromptOf,
    program: familyProgram,
    teacher: familyTeacher,
    mutants: familyMutants,
    judgeId: async () => `${await toolchainId(await open())}.${verdictSeed}`,
    async judge(samples, { attack, signal }) {
      return judgeFamily(samples, { sandbox: await open(), attack, seed: verdictSeed, signal });
    },
  };
}
