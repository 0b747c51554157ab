import { expect, test, vi } from 'vitest';
import { embedded, embeddedTeacher } from '../../src/analysis/embedded.js';

// What a thread that is lost leaves: no code is known to do that to the engine.
const lost = 'the engine came to no end: it took longer than 60 s';
vi.mock(import('../../src/analysis/many.js'), async (real) => ({
  ...(await real()),
  analyzeMany: async (sources) =>
    sources.map(({ code }) =>
      code.length === 0 ? { failure: lost } : { findings: [], spans: [], idle: [], parseOk: true },
    ),
}));

test('code that the engine comes to no end with is no better off than code that it finds a flaw in', async () => {
  const judge = (text: string) => embeddedTeacher.judge(Buffer.from(text), { language: 'c' });
  const [none, some] = await Promise.all([judge(''), judge('int x;')]);
  expect(none).toMatchObject({ findings: [], spans: [], parseOk: false, missing: [lost], counts: { unanswered: 1 } });
  expect(some).toMatchObject({ parseOk: true, missing: [] });
});

test('as an analyser it says that there is no analysis, and why', async () => {
  const sources = ['int x;', ''].map((text) => ({ code: Buffer.from(text), language: 'c' as const }));
  expect((await embedded.analyze(sources)).map(({ failure }) => failure)).toEqual([undefined, lost]);
});
