import { beforeAll, expect, test } from 'vitest';
import { CParser } from '../../src/analysis/c/syntax.js';
import { RandomStream } from '../../src/dataset/random.js';
import {
  answerOf,
  drawForm,
  drawStyle,
  type FamilyPrompt,
  familyMutants,
  familyProgram,
  familyPrompt,
  renderFunction,
  type StepId,
  stepIds,
} from '../../src/tasks/family/index.js';
import { judgeFunction } from '../../src/tasks/family/teacher.js';

let parser: CParser;
beforeAll(async () => {
  parser = await CParser.load();
});

test('what every removal leaves is vulnerable in that step alone, by the same teacher', async () => {
  const seen = new Map<StepId, Set<string>>();
  for (let i = 0; i < 160; i++) {
    const prompt = familyPrompt(i % 3 === 0 ? 'test' : 'train', 8, i);
    const random = new RandomStream(i, 5);
    const forms = prompt.spec.steps.map((step) => drawForm(random, step, true));
    const answer = Buffer.from(answerOf(prompt.spec, renderFunction(prompt.spec, forms, drawStyle(random))));
    for (const { sample, obligation, kind, change } of await familyMutants({ prompt, answer })) {
      if (kind !== 'removed') continue;
      const { findings, missing, parseOk } = judgeFunction(parser.parse(familyProgram(sample).code), prompt.spec);
      expect({ rules: findings.map(({ rule }) => rule), missing, parseOk }, sample.answer.toString()).toEqual({
        rules: [`family/${obligation}`],
        missing: [],
        parseOk: true,
      });
      const step = obligation as StepId;
      seen.set(step, (seen.get(step) ?? new Set()).add(change));
    }
  }
  expect([...seen.keys()].sort()).toEqual([...stepIds].sort());
  expect(seen.get('copy')).toEqual(
    new Set(['guard deleted', 'snprintf to strcpy', 'strncpy to strcpy', 'end of the string left out']),
  );
});

const elementPrompt = (): FamilyPrompt => {
  const prompt = familyPrompt('train', 8, 0);
  prompt.spec = {
    ...{ steps: ['get'], parameters: ['arr', 'n', 'idx'], functionName: 'f', mode: 'completion' },
    names: { arr: 'arr', n: 'n', idx: 'i' },
    signature: 'int f(int *arr, int n, int i)',
  };
  prompt.prefix = `${prompt.spec.signature}\n{\n`;
  return prompt;
};

test('a guard is deleted or weakened where it stands, and the rest stays', async () => {
  const prompt = elementPrompt();
  const answer = Buffer.from('    if (i < 0 || i >= n)\n        return -1;\n    return arr[i]; // é\n}\n');
  const mutants = await familyMutants({ prompt, answer });
  expect(mutants.map(({ sample, kind, change }) => [kind, change, Buffer.from(sample.answer).toString()])).toEqual([
    ['removed', 'guard deleted', '    ;\n    return arr[i]; // é\n}\n'],
    ['weakened', 'half of || left out', '    if (i < 0)\n        return -1;\n    return arr[i]; // é\n}\n'],
    ['weakened', '>= to >', '    if (i < 0 || i > n)\n        return -1;\n    return arr[i]; // é\n}\n'],
  ]);
});

test('of a guard that lets through, what it lets through stays', async () => {
  const answer = Buffer.from('    if (i >= 0 && i < n)\n        return arr[i];\n    return -1;\n}\n');
  const mutants = await familyMutants({ prompt: elementPrompt(), answer });
  expect(mutants.map(({ sample, kind, change }) => [kind, change, Buffer.from(sample.answer).toString()])).toEqual([
    ['removed', 'condition left out', '    if (1)\n        return arr[i];\n    return -1;\n}\n'],
    ['weakened', 'half of && left out', '    if (i >= 0)\n        return arr[i];\n    return -1;\n}\n'],
    ['weakened', '< to <=', '    if (i >= 0 && i <= n)\n        return arr[i];\n    return -1;\n}\n'],
  ]);
});
