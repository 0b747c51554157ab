import { expect, test } from 'vitest';
import {
  detectionPair,
  familyPrompt,
  heldSteps,
  matureStage,
  preferencePair,
  pretrainDocument,
  repairRow,
  replayRow,
  stepIds,
  steps,
} from '../../src/tasks/family/index.js';
import { combinations, type Pool, poolOf } from '../../src/tasks/family/splits.js';
import { heldTemplate } from '../../src/tasks/family/wording.js';

const draws = 3000;
const numbers = Array.from({ length: draws }, (_, index) => index);
const prompts = {
  train: numbers.map((index) => familyPrompt('train', 1, index)),
  validation: numbers.map((index) => familyPrompt('validation', 1, index)),
  test: numbers.map((index) => familyPrompt('test', 1, index)),
};
const combinationOf = (chosen: readonly string[]): string => [...chosen].sort().join(' ');
const wordedLikeHeld = (text: string): boolean => text.startsWith(heldTemplate[0]);

test('the pools share out the combinations: a tenth is held out of all training', () => {
  for (const [k, total] of [
    [2, 162],
    [3, 780],
    [4, 2304],
  ] as const) {
    const sizes = (['train', 'pretraining', 'validation', 'test', 'carry'] satisfies Pool[]).map(
      (pool) => combinations(k, [pool]).length,
    );
    expect(sizes.reduce((a, b) => a + b)).toBe(total);
    const held = sizes.slice(2).reduce((a, b) => a + b) / total;
    expect(held).toBeGreaterThan(0.08);
    expect(held).toBeLessThan(0.15);
    for (const size of sizes) expect(size).toBeGreaterThan(0);
  }
});

test("the test's pairs have all kinds of step but one, and both held steps occur among them", () => {
  expect(new Set(combinations(2, ['test']).flat()).size).toBe(stepIds.length - heldSteps.length - 1);
  expect(combinations(2, ['carry']).flat()).toEqual(expect.arrayContaining([...heldSteps]));
});

test('splits share no combination of steps, and at k = 1 no signature', () => {
  const keys = Object.values(prompts).map(
    (list) => new Set(list.map(({ spec }) => (spec.steps.length > 1 ? combinationOf(spec.steps) : spec.signature))),
  );
  for (const a of keys) for (const b of keys) if (a !== b) expect([...a].filter((key) => b.has(key))).toEqual([]);
});

test('held steps and the held wording are in no prompt of training or validation', () => {
  const all = [...prompts.train, ...prompts.validation];
  expect(all.filter(({ spec }) => spec.steps.some((step) => heldSteps.includes(step)))).toEqual([]);
  expect(all.filter(({ text }) => wordedLikeHeld(text))).toEqual([]);
  expect(all.filter(({ labels }) => labels.carry !== 'no')).toEqual([]);
});

test('the label says what of a test prompt lies further away, in the stated shares', () => {
  const count = { no: 0, step: 0, template: 0 };
  for (const { spec, text, labels } of prompts.test) {
    const held = spec.steps.some((step) => heldSteps.includes(step));
    expect(labels).toEqual({
      k: String(spec.steps.length),
      mode: spec.mode,
      carry: held ? 'step' : wordedLikeHeld(text) ? 'template' : 'no',
    });
    expect(held && wordedLikeHeld(text)).toBe(false);
    count[labels.carry as keyof typeof count]++;
  }
  // Four standard deviations of 3000 draws are .033, .029 and .022.
  expect(Math.abs(count.no / draws - 0.7)).toBeLessThan(0.034);
  expect(Math.abs(count.step / draws - 0.2)).toBeLessThan(0.03);
  expect(Math.abs(count.template / draws - 0.1)).toBeLessThan(0.022);
});

test('pretraining and replay write every step, and never a combination or signature that is held out', () => {
  const seen = new Set<string>();
  for (const index of numbers)
    for (const { prompt, response } of [pretrainDocument(1, index, matureStage), replayRow(1, index)]) {
      const signature = signatureIn(prompt);
      const chosen = stepsIn(signature, response);
      for (const step of chosen) seen.add(step);
      expect(['train', 'pretraining']).toContain(poolOf(chosen, signature));
    }
  expect([...seen].sort()).toEqual([...stepIds].sort());
});

test('lessons and preference pairs keep to their side of the split, and know no held step and no held wording', () => {
  for (const split of ['train', 'heldOut'] as const)
    for (let index = 0; index < 700; index++) {
      const { prompt, chosen } = preferencePair(1, index, split);
      const review = detectionPair(1, index, split).secure.prompt;
      const { response } = repairRow(1, index, split);
      expect(wordedLikeHeld(prompt)).toBe(false);
      for (const [signature, code] of [
        [signatureIn(prompt), chosen],
        [signatureIn(review), review],
        [signatureIn(response), response],
      ] as const)
        expect(split === 'train' ? ['train'] : ['validation', 'test']).toContain(
          poolOf(stepsIn(signature, code), signature),
        );
    }
});

function signatureIn(text: string): string {
  return (/int \w+\([^)]*\)/.exec(text) as RegExpExecArray)[0];
}

// What a function does, read off its code alone.
function stepsIn(signature: string, code: string): (typeof stepIds)[number][] {
  const body = code.slice(code.indexOf(signature) < 0 ? 0 : code.indexOf(signature) + signature.length);
  const does: Record<(typeof stepIds)[number], RegExp> = {
    get: /(return|[^+]=) \w+\[\w+\];/,
    set: /^ +\w+\[\w+\] = \w+;/m,
    div: / \/ /,
    add: /(return|=) \w+ \+ \w+;/,
    copy: /sn?printf\((?!cmd,|path,)|strn?cpy\((?!\*)/,
    cat: /strn?cat\(/,
    mcpy: /memcpy\(/,
    print: / f?printf\(| fputs\(/,
    slen: /\(int\)strlen/,
    field: /(return|\*\w+ =) \w+->value/,
    alloc: /memset\(/,
    dup: /strcpy\(\*/,
    free: /free\(\*/,
    take: /int taken/,
    exec: /system\(/,
    path: /remove\(/,
    sum: /int acc/,
    file: /fopen\(/,
    line: /fgets\(|fscanf\(/,
  };
  const found = stepIds.filter((step) => does[step].test(body));
  // All parameters belong to the steps found.
  expect(signature.split(',').length).toBe(
    found.flatMap((step) => steps[step].roles).length + Number(found.filter((step) => steps[step].value).length === 2),
  );
  return found;
}
