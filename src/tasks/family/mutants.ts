import type { Mutant, Sample } from '../task.js';
import { mutate, mutationsOf } from './mutations.js';
import { familyProgram } from './prompts.js';
import type { FamilyPrompt } from './spec.js';
import { creditedNodes, readAnswer } from './teacher.js';

/** The sample without what {@link familyTeacher} credits in it, one mutant for each way to take something away. */
export async function familyMutants(sample: Sample<FamilyPrompt>): Promise<Mutant<FamilyPrompt>[]> {
  const { code, answerStart } = familyProgram(sample);
  const source = await readAnswer(code);
  return creditedNodes(source, sample.prompt.spec).flatMap(({ step, nodes }) =>
    mutationsOf(source, nodes, step).map((mutation) => ({
      sample: { prompt: sample.prompt, answer: mutate(source, code, mutation).subarray(answerStart) },
      obligation: step,
      kind: mutation.kind,
      change: mutation.change,
    })),
  );
}
