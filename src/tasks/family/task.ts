import { Sandbox } from '../../sandbox/index.js';
import type { Task } from '../task.js';
import { judgeFamily, judgeVersion } from './judge/index.js';
import { familyMutants } from './mutants.js';
import { familyProgram, familyPrompt, familyPromptOf, familyVersion } from './prompts.js';
import type { FamilyPrompt } from './spec.js';
import { familyTeacher } from './teacher.js';

/** The embedded tasks: short C functions that a program is asked for, run against functional tests and attacks. */
export interface FamilyTask extends Task<FamilyPrompt> {
  judge: NonNullable<Task<FamilyPrompt>['judge']>;
}

/**
 * The embedded task family. Its judge opens a sandbox when it is first asked; `unsafe` insists where no isolation works.
 */
export function familyTask({ unsafe = false }: { unsafe?: boolean } = {}): FamilyTask {
  let sandbox: Promise<Sandbox> | undefined;
  return {
    name: 'family',
    version: `${familyVersion}.${judgeVersion}`,
    language: 'c',
    prompt: familyPrompt,
    promptOf: familyPromptOf,
    program: familyProgram,
    teacher: familyTeacher,
    mutants: familyMutants,
    async judge(samples, { attack, signal }) {
      sandbox ??= Sandbox.open({ unsafe });
      return judgeFamily(samples, { sandbox: await sandbox, attack, signal });
    },
  };
}
