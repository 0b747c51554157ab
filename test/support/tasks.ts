import type { Judgement, Sample, Task, TaskPrompt } from '../../src/tasks/task.js';

export interface Calls {
  teacher: number;
  judge: number;
}

/**
 * A task that a random model can learn in a few iterations: answers are printable text, and semicolons are what counts. The teacher marks
 * each one, the judge wants one. `calls` counts what was asked of them.
 */
export function semicolons(calls: Calls = { teacher: 0, judge: 0 }): Task {
  const count = (code: Uint8Array): number => code.filter((byte) => byte === 0x3b).length;
  return {
    name: 'semicolons',
    version: '1',
    language: 'c',
    prompt: (split, seed, index) => prompt(`${split}-${seed}-${index}`),
    promptOf: prompt,
    program: ({ answer }) => ({ code: answer, answerStart: 0 }),
    teacher: {
      id: 'semicolons-1',
      async judge(code) {
        calls.teacher++;
        const at = Array.from(code.keys()).filter((i) => code[i] === 0x3b);
        return {
          spans: at.map((start, i) => ({ span: { start, end: start + 1 }, kind: 'end', obligation: `${i}` })),
          findings: [],
          idle: [],
          missing: at.length === 0 ? ['a semicolon'] : [],
          parseOk: true,
        };
      },
    },
    async judge(samples: readonly Sample[], { attack }): Promise<Judgement[]> {
      calls.judge += samples.length;
      return samples.map(({ answer }) => {
        const functional = count(answer) > 0;
        return { compiled: true, functional, secure: attack && functional, findings: [], missing: [] };
      });
    },
  };
}

function prompt(id: string): TaskPrompt {
  const index = Number(id.split('-')[2]);
  return { id, text: `statement ${index % 7}`, labels: { parity: index % 2 === 0 ? 'even' : 'odd' } };
}
