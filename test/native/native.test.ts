import { describe, expect, test } from 'vitest';
import { doctestCases, onlyCase, programs, runProgram } from './programs.js';

const timeoutMs = process.env.SRCODE_SLOW === '1' ? 1_800_000 : 120_000;
const all = programs();
const doctests = all.filter((program) => program.labels.includes('doctest'));

test('there are native tests', () => {
  expect(doctests.length).toBeGreaterThan(0);
});

for (const program of doctests) {
  describe(program.name, () => {
    test.each(doctestCases(program))(
      '%s',
      async (name) => {
        const output = await runProgram(program, onlyCase(name), { timeoutMs });
        // A filter that matches nothing would pass.
        expect(output).toMatch(/test cases: +[1-9]/);
      },
      timeoutMs + 5_000,
    );
  });
}

for (const program of all.filter((other) => !doctests.includes(other))) {
  test(program.name, async () => void (await runProgram(program, [], { timeoutMs })), timeoutMs + 5_000);
}
