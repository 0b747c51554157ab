import { availableParallelism } from 'node:os';
import { inParallel } from '../../parallel.js';
import type { Sandbox } from '../../sandbox/index.js';
import type { Finding } from '../../teacher/teacher.js';
import type { Analyser, Analysis, SourceCode } from '../analyser.js';
import { severityOf } from '../severity.js';
import { distinct, halving, inGroups } from './groups.js';
import { SourceLines } from './source-lines.js';
import { findTool, type Tool, toolFailed, toolLimits } from './tools.js';

/** Changes whenever a finding may change. */
const rulesVersion = 1;

export function findCppcheck(sandbox: Sandbox): Promise<Tool | undefined> {
  return findTool(sandbox, ['cppcheck']);
}

/** cppcheck, for C and C++: it finds little and is seldom wrong. Undefined where it is not. */
export async function openCppcheck(
  sandbox: Sandbox,
  { batchSize = 48 }: { batchSize?: number } = {},
): Promise<Analyser | undefined> {
  const tool = await findCppcheck(sandbox);
  if (tool === undefined) return undefined;
  return {
    name: 'cppcheck',
    id: `cppcheck ${tool.version} rules ${rulesVersion}`,
    languages: ['c', 'cpp'],
    async analyze(sources, { signal } = {}) {
      const analyses: Analysis[] = new Array(sources.length);
      const groups = inGroups(
        [...sources.entries()],
        Math.max(Math.ceil(sources.length / batchSize), availableParallelism()),
      );
      await inParallel(
        groups.map((group) => async () => {
          const done = await halving(
            group.map(([, source]) => source),
            (half) => run(sandbox, tool, half, signal),
          );
          for (const [i, [index]] of group.entries()) analyses[index] = done[i] as Analysis;
        }),
        availableParallelism(),
      );
      return analyses;
    },
  };
}

/** A file for each source, all in one process. */
async function run(
  sandbox: Sandbox,
  { command }: Tool,
  sources: readonly SourceCode[],
  signal: AbortSignal | undefined,
): Promise<Analysis[] | undefined> {
  const names = sources.map(({ language }, i) => `source${i}.${language === 'cpp' ? 'cpp' : 'c'}`);
  const result = await sandbox.run({
    // Without --quiet its progress stands between the elements.
    argv: [command, '--quiet', '--xml', '--enable=warning,portability', '--max-configs=4', ...names],
    files: Object.fromEntries(sources.map(({ code }, i) => [names[i] as string, code])),
    limits: toolLimits,
    signal,
  });
  if (result.status === 127) throw toolFailed('cppcheck', result);
  const xml = result.stderr.toString('utf8');
  if (result.status !== 0 || !xml.includes('</results>')) return undefined;
  return readCppcheck(xml, sources, names);
}

/** Reads its XML, version 2. @internal */
export function readCppcheck(xml: string, sources: readonly SourceCode[], names: readonly string[]): Analysis[] {
  const analyses = sources.map((): Analysis => ({ findings: [], failure: undefined }));
  const lines = sources.map(({ code }) => new SourceLines(code));
  for (const [, head = '', body = ''] of xml.matchAll(/<error ([^>]*[^/>])>(.*?)<\/error>/gs)) {
    const error = attributes(head);
    // The first place is where it happens, those that follow are how it comes to it.
    const place = attributes(/<location ([^>]*)\/>/.exec(body)?.[1] ?? '');
    const i = names.indexOf(place.file ?? '');
    const analysis = analyses[i];
    if (analysis === undefined) continue;
    const at = { startLine: Number(place.line), startColumn: Math.max(1, Number(place.column)) };
    const { id = '', msg = '' } = error;
    if (fatal.has(id)) analysis.failure ??= `line ${at.startLine}: ${msg}`;
    else if (error.cwe !== undefined && !style.has(error.cwe)) {
      const cwe: Finding['cwe'] = `CWE-${Number(error.cwe)}`;
      const span = (lines[i] as SourceLines).span(at, 'bytes');
      analysis.findings.push({ cwe, severity: severityOf(cwe), span, rule: `cppcheck/${id}`, message: msg });
    }
  }
  return analyses.map(({ findings, failure }, i) => ({
    findings: failure === undefined ? distinct(findings, (sources[i] as SourceCode).code) : [],
    failure,
  }));
}

const fatal: ReadonlySet<string> = new Set([
  'syntaxError',
  'preprocessorErrorDirective',
  'internalAstError',
  'internalError',
  'cppcheckError',
  'unknownMacro',
]);
// Code quality, unused or redundant code, conditions that are always the same, formats' types: no weakness that an attacker would use.
const style: ReadonlySet<string> = new Set([
  '0',
  '398',
  '561',
  '563',
  '570',
  '571',
  '628',
  '685',
  '686',
  '704',
  '710',
  '758',
  '783',
  '1164',
]);

function attributes(text: string): Record<string, string | undefined> {
  const pairs = [...text.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
    name,
    decodeEntities(value),
  ]);
  return Object.fromEntries(pairs);
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name] ?? whole;
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16));
  });
}
