import { expect, test } from 'vitest';
import type { Analyser } from '../../src/analysis/analyser.js';
import { analyserTeacher } from '../../src/analysis/analyser-teacher.js';
import { openGcc } from '../../src/analysis/external/gcc.js';
import { Phases } from '../../src/phases.js';
import { Sandbox } from '../../src/sandbox/index.js';
import { teacherOf } from '../../src/tasks/teachers.js';
import { noIsolation } from '../support/sandbox.js';

const gcc = noIsolation === undefined ? await openGcc(await Sandbox.open()) : undefined;

test('an analyser finds and credits nothing; what it cannot analyse is counted and no flaw', async () => {
  const asked: number[] = [];
  const analyser: Analyser = {
    ...{ name: 'tool', id: 'tool 1', languages: ['c'] },
    async analyze(sources) {
      asked.push(sources.length);
      return sources.map(({ code }) =>
        code.length === 0
          ? { findings: [], failure: 'empty' }
          : {
              findings: [
                {
                  cwe: 'CWE-416',
                  severity: 'high',
                  span: { start: 0, end: code.length },
                  rule: 'tool/x',
                  message: 'x',
                },
              ],
              failure: undefined,
            },
      );
    },
  };
  const teacher = analyserTeacher(analyser);
  const phases = new Phases();
  const verdicts = await Promise.all(
    ['a', ''].map((text) => teacher.judge(Buffer.from(text), { language: 'c' }, { phases })),
  );
  const quiet = { spans: [], idle: [], missing: [], parseOk: true };
  expect(verdicts).toMatchObject([
    { ...quiet, findings: [{ cwe: 'CWE-416' }], counts: { 'tool-failed': 0 } },
    { ...quiet, findings: [], counts: { 'tool-failed': 1 } },
  ]);
  expect(asked).toEqual([2]);
  expect(phases.seconds.tool).toBeGreaterThan(0);
  await expect(teacher.judge(Buffer.from('a'), { language: 'python' })).rejects.toMatchObject({
    code: 'ERR_UNSUPPORTED',
    message: 'tool reads c, not python',
  });
});

test('analysers alone are refused as teachers, since they credit nothing', async () => {
  await expect(teacherOf(['gcc', 'clang'])).rejects.toMatchObject({
    code: 'ERR_CONFIG',
    message:
      'teacher: gcc, clang credit nothing, they only find flaws; name one beside them that does, such as embedded',
  });
});

test.skipIf(gcc === undefined)('the engine and gcc together: credit of the one, findings of both', async () => {
  const teacher = await teacherOf(['embedded', 'gcc']);
  const phases = new Phases();
  const codes = [
    'int first(const char *s) {\n    if (s == NULL) return -1;\n    char *p = malloc(4);\n    if (p == NULL) return -1;\n    *p = *s;\n    free(p);\n    return 0;\n}\n',
    'void twice(long *p) {\n    free(p);\n    free(p);\n}\n',
    'int go(void) { struct nowhere s; return s.x; }\n',
  ];
  const verdicts = await Promise.all(
    codes.map((code) => teacher.judge(Buffer.from(code), { language: 'c' }, { phases })),
  );
  const [checked, freed, broken] = verdicts;
  expect(checked?.findings).toEqual([]);
  expect(checked?.spans.map(({ kind }) => kind)).toContain('null');
  expect(freed?.findings.map(({ cwe }) => cwe)).toEqual(['CWE-415']);
  expect(verdicts.map(({ counts }) => counts?.['gcc-failed'])).toEqual([0, 0, 1]);
  expect(broken?.parseOk).toBe(true);
  expect(Object.keys(phases.seconds).sort()).toEqual(['credit', 'gcc', 'parse', 'walk']);
});
