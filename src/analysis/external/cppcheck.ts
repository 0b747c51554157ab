import type { Sandbox } from '../../sandbox/index.js';
import type { Finding } from '../../teacher/teacher.js';
import type { Analyser, Analysis, SourceCode } from '../analyser.js';
import { severityOf } from '../severity.js';
import { openFileAnalyser } from './file-analyser.js';
import { distinct } from './groups.js';
import { SourceLines } from './source-lines.js';
import { findTool, type Tool } from './tools.js';

export function findCppcheck(sandbox: Sandbox): Promise<Tool | undefined> {
  return findTool(sandbox, ['cppcheck']);
}

/** cppcheck, for C and C++: it finds little and is seldom wrong. Undefined where it is not. */
export function openCppcheck(
  sandbox: Sandbox,
  { batchSize = 48 }: { batchSize?: number } = {},
): Promise<Analyser | undefined> {
  return openFileAnalyser(sandbox, {
    ...{ name: 'cppcheck', rulesVersion: 2, batchSize, failed: [] },
    extensions: { c: 'c', cpp: 'cpp' },
    // Without --quiet its progress stands between the elements.
    flags: ['--quiet', '--xml', '--enable=warning,portability', '--max-configs=4'],
    read: ({ status, stderr }, sources, names) => {
      const xml = stderr.toString('utf8');
      return status !== 0 || !xml.includes('</results>') ? undefined : readCppcheck(xml, sources, names);
    },
  });
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
