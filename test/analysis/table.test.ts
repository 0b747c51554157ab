import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { rules } from '../../src/analysis/rules/index.js';
import { severityOf } from '../../src/analysis/severity.js';
import { cases } from './cases.js';
import { cppCases } from './cpp-cases.js';

const documented = readFileSync(new URL('../../docs/analysis.md', import.meta.url), 'utf8');

test('the documentation has the table of rules', () => {
  const rows = [...rules.values()].map(
    ({ id, cwe, finds, discharge, kind }) =>
      `| ${id} | ${cwe} | ${severityOf(cwe)} | ${finds} | ${discharge} | ${kind} |`,
  );
  expect(documented).toContain(`|---|---|---|---|---|---|\n${rows.join('\n')}\n`);
});

test('every rule has a case that it finds', () => {
  const found = new Set([...cases, ...cppCases].flatMap(({ findings = [] }) => findings.map(([rule]) => rule)));
  expect([...rules.keys()].filter((rule) => !found.has(rule))).toEqual([]);
});
