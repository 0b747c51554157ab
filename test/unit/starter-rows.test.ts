import { expect, test } from 'vitest';
import { starterRows } from '../../src/tasks/starter/rows.js';

const all = starterRows(Number.MAX_SAFE_INTEGER, 0);

test('starter rows are all different and leave no role unnamed', () => {
  expect(all.length).toBeGreaterThan(1000);
  expect(new Set(all.map(({ prompt }) => prompt)).size).toBe(all.length);
  // `{}` of C holds more than one word, a role never does.
  for (const { prompt, response } of all) expect(prompt + response).not.toMatch(/\{\w+\}/);
});

test('the seed decides their order, and count is a limit', () => {
  expect(starterRows(10, 0)).toEqual(all.slice(0, 10));
  expect(starterRows(10, 1)).not.toEqual(all.slice(0, 10));
});

test('half of the detection rows are flawed', () => {
  const answers = all.filter(({ task }) => task === 'detection').map(({ response }) => response);
  expect(answers.filter((answer) => answer === 'No')).toHaveLength(answers.length / 2);
});
