import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { analyze, loadEngine } from '../../src/analysis/analysis.js';
import { embeddedTeacher } from '../../src/analysis/embedded.js';
import { Phases } from '../../src/phases.js';
import { familyProgram, familyPrompt, referenceAnswers } from '../../src/tasks/family/index.js';
import { buildCli, root } from '../support/cli.js';

beforeAll(async () => {
  buildCli();
  await loadEngine(['c', 'cpp', 'python']);
});

/** Functions of the embedded tasks, secure and not, the last of each four cut off. */
function functions(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const prompt = familyPrompt('train', 3, i >> 1);
    const { secure, insecure } = referenceAnswers(prompt);
    const { code } = familyProgram({ prompt, answer: Buffer.from(i % 2 === 0 ? secure : insecure) });
    return i % 4 === 3 ? code.subarray(0, (code.length * 3) >> 2) : code;
  });
}

test('threads say what this one says, in order', () => {
  // Every fourth as C++, which has a grammar of its own, as Python has.
  const c = functions(160).map((code, i) => ({ code, language: i % 4 === 0 ? ('cpp' as const) : ('c' as const) }));
  const python = {
    code: Buffer.from('import os\ndef f(name):\n    os.system("ls " + name)\n'),
    language: 'python' as const,
  };
  const sources = [...c, python];
  const cores = availableParallelism();
  // The threads' script is JavaScript: they are had from the build. They come when there has been enough to do, and never to a single core.
  const script = `
    import { syncBuiltinESMExports } from 'node:module';
    import threads from 'node:worker_threads';
    let started = 0;
    threads.Worker = class extends threads.Worker {
      constructor(...args) { super(...args); started++; }
    };
    syncBuiltinESMExports();
    const { analyzeMany } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/analysis/many.js')).href)});
    const sources = JSON.parse(process.argv[1]).map(({ text, language }) => ({ code: Buffer.from(text), language }));
    let outcomes;
    for (let round = 0; round < ${cores > 1 ? 100 : 1} && started === 0; round++) outcomes = await analyzeMany(sources);
    outcomes = [outcomes, await analyzeMany(sources)];
    console.log(JSON.stringify({ outcomes, started }));
  `;
  const texts = JSON.stringify(sources.map(({ code, language }) => ({ text: `${Buffer.from(code)}`, language })));
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, texts], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const { outcomes, started } = JSON.parse(said);
  const here = sources.map(({ code, language }) => analyze(code, { language }));
  expect(outcomes).toEqual([here, here]);
  expect(here.some(({ spans }) => spans.length > 0)).toBe(true);
  expect(here.at(-1)?.findings).toHaveLength(1);
  expect(started).toBe(cores > 1 ? Math.min(cores, sources.length) : 0);
});

test('the teacher says what the engine says, and what its time went into', async () => {
  const codes = functions(8);
  const phases = new Phases();
  const verdicts = await Promise.all(codes.map((code) => embeddedTeacher.judge(code, { language: 'c' }, { phases })));
  expect(Object.keys(phases.seconds).sort()).toEqual(['credit', 'parse', 'walk']);
  expect(Object.values(phases.seconds).every((seconds) => seconds > 0)).toBe(true);
  expect(verdicts).toEqual(codes.map((code) => ({ ...analyze(code, { language: 'c' }), idle: [], missing: [] })));
});
