import { expect, test } from 'vitest';
import { RandomStream } from '../../src/dataset/random.js';
import { drawSpec } from '../../src/tasks/family/generate.js';
import { parameterTypes, type Step, stepIds, steps } from '../../src/tasks/family/index.js';
import { reserved, roleNames } from '../../src/tasks/family/names.js';
import { renderFunction, type Style } from '../../src/tasks/family/render.js';
import { locals } from '../../src/tasks/family/steps.js';

const templatesOf = ({ phrases, flaw, secure, insecure }: Step): string[] => [
  ...phrases,
  flaw,
  ...[...secure, ...insecure].flatMap((form) => JSON.stringify(form)),
];

test('every step has the variants that the family promises, and its text names its own roles only', () => {
  expect(Object.keys(steps)).toEqual(stepIds);
  for (const step of Object.values(steps)) {
    expect(step.phrases.length).toBeGreaterThanOrEqual(3);
    expect(step.secure.length).toBeGreaterThanOrEqual(1);
    expect(step.insecure.length).toBeGreaterThanOrEqual(1);
    for (const text of templatesOf(step))
      for (const [, role] of text.matchAll(/\{(\w+)\}/g)) expect(step.roles).toContain(role);
    for (const form of [...step.secure, ...step.insecure]) expect(form.value !== undefined).toBe(step.value === true);
  }
});

test('no form of a step is written twice', () => {
  for (const { secure, insecure } of Object.values(steps)) {
    const all = [...secure, ...insecure].map((form) => JSON.stringify(form));
    expect(new Set(all).size).toBe(all.length);
  }
});

test('each role has a type and eight names or more, and none of them means something else in C', () => {
  expect(Object.keys(roleNames).sort()).toEqual(Object.keys(parameterTypes).sort());
  for (const names of Object.values(roleNames)) {
    expect(new Set(names).size).toBeGreaterThanOrEqual(8);
    for (const name of names) expect(reserved.has(name), name).toBe(false);
  }
});

test('every form of every step is rendered in every style, with all names filled in', () => {
  const styles = [true, false].flatMap((braces) =>
    [true, false].flatMap((guardsFirst) =>
      (['not', 'compare'] as const).map((nullStyle): Style => ({ braces, guardsFirst, nullStyle })),
    ),
  );
  for (const id of stepIds) {
    const spec = specOf(id);
    for (const form of [...steps[id].secure, ...steps[id].insecure])
      for (const style of styles) {
        const code = renderFunction(spec, [form], style);
        expect(code.startsWith(`${spec.signature}\n{\n`)).toBe(true);
        expect(code.endsWith('}\n')).toBe(true);
        expect(code).not.toMatch(/undefined|\{\w+\}/);
        expect(code.split('{').length).toBe(code.split('}').length);
        // One return for each guard, and the last one.
        const guards = JSON.stringify(form).split('"guard"').length - 1;
        expect(code.match(/return/g)).toHaveLength(guards + 1);
      }
  }
});

test('an earlier value is stored, the last one returned, and a function without values returns 0', () => {
  const names = { a: 'x', b: 'y', cfg: 'rc', outp: 'res', msg: 'note' } as const;
  const about = { names, parameters: [], functionName: 'f', signature: 'int f()', mode: 'instruction' } as const;
  const style: Style = { nullStyle: 'compare', braces: false, guardsFirst: true };
  const two = { ...about, steps: ['file', 'add'] as const };
  expect(renderFunction({ ...two, steps: [...two.steps], parameters: [] }, [file, add], style)).toBe(
    `int f()
{
    if (x > INT_MAX - y)
        return -1;
    FILE *f = fopen(rc, "r");
    if (f == NULL)
        return -1;
    int c = fgetc(f);
    fclose(f);
    *res = c;
    return x + y;
}
`,
  );
  const print = steps.print.secure[0] as (typeof steps.print.secure)[number];
  expect(renderFunction({ ...about, steps: ['print'], parameters: [] }, [print], style)).toBe(
    'int f()\n{\n    printf("%s", note);\n    return 0;\n}\n',
  );
});

const file = steps.file.secure[0] as (typeof steps.file.secure)[number];
const add = steps.add.secure[0] as (typeof steps.add.secure)[number];

test('names neither collide nor shadow a variable of the code, whatever is drawn', () => {
  const pools = ['train', 'pretraining', 'validation', 'test', 'carry'] as const;
  let random = 0;
  for (let index = 0; index < 2000; index++) {
    const mix = { ks: [1, 1, 1, 1], pools, randomNames: 0.5, mode: 'completion' } as const;
    const spec = drawSpec(new RandomStream(1, index), mix);
    const names = [...Object.values(spec.names), spec.functionName];
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z]\w*$/.test(name) || reserved.has(name) || locals.includes(name))).toEqual([]);
    expect([...spec.parameters].sort()).toEqual(Object.keys(spec.names).sort());
    const roles = spec.steps.flatMap((step) => steps[step].roles);
    expect(new Set(roles).size).toBe(roles.length);
    random += spec.parameters.filter((role) => !roleNames[role].includes(spec.names[role] as string)).length;
  }
  expect(random).toBeGreaterThan(400);
});

function specOf(id: (typeof stepIds)[number]): ReturnType<typeof drawSpec> {
  const pools = ['train', 'pretraining', 'validation', 'test', 'carry'] as const;
  for (let index = 0; ; index++) {
    const mix = { ks: [1], pools, randomNames: 0, mode: 'instruction' } as const;
    const spec = drawSpec(new RandomStream(2, index), mix);
    if (spec.steps[0] === id) return spec;
  }
}
