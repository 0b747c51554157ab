import { z } from 'zod';
import { SrcodeError } from '../../errors.js';
import type { Cwe, Finding, Severity } from '../../teacher/teacher.js';
import { version } from '../../version.js';
import { type ColumnUnit, type Region, SourceLines } from './source-lines.js';

// SARIF 2.1.0: https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html

/** A file and what was found in it. */
export interface FileFindings {
  /** Relative to what was analysed, with `/`. */
  file: string;
  code: Uint8Array;
  findings: readonly Finding[];
}

/** Findings as a SARIF log of one run, for code-scanning services and editors. */
export function toSarif(files: readonly FileFindings[]): object {
  const rules = rulesOf(files.flatMap(({ findings }) => findings));
  const ruleIndex = new Map(rules.map(({ id }, index) => [id, index]));
  const cwes = [...new Set(files.flatMap(({ findings }) => findings.map(({ cwe }) => cwe)))].sort();
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: { name: 'srcode', version, rules, supportedTaxonomies: [{ name: 'CWE', index: 0 }] },
        },
        taxonomies: [{ name: 'CWE', organization: 'MITRE', taxa: cwes.map((cwe) => ({ id: cwe.slice(4) })) }],
        columnKind: 'unicodeCodePoints',
        artifacts: files.map(({ file, code }) => ({ location: { uri: encodePath(file) }, length: code.length })),
        results: files.flatMap(({ file, code, findings }, index) => {
          const lines = new SourceLines(code);
          return findings.map(({ rule, cwe, severity, span, message }) => ({
            ruleId: rule,
            ruleIndex: ruleIndex.get(rule),
            level: levels[severity],
            message: { text: message },
            locations: [
              {
                physicalLocation: {
                  artifactLocation: { uri: encodePath(file), index },
                  region: { ...lines.region(span), byteOffset: span.start, byteLength: span.end - span.start },
                },
              },
            ],
            taxa: [{ id: cwe.slice(4), index: cwes.indexOf(cwe), toolComponent: { name: 'CWE', index: 0 } }],
          }));
        }),
      },
    ],
  };
}

const levels = { high: 'error', medium: 'warning', low: 'note' } as const;
// The middle of each class on the scale of code-scanning services.
const scores = { high: '8.0', medium: '5.5', low: '2.0' } as const;

function rulesOf(findings: readonly Finding[]): { id: string; properties: object }[] {
  const ids = [...new Set(findings.map(({ rule }) => rule))];
  return ids.map((id) => {
    const found = findings.filter(({ rule }) => rule === id);
    const severities = new Set(found.map(({ severity }) => severity));
    const tags = [...new Set(found.map(({ cwe }) => `external/cwe/cwe-${cwe.slice(4).padStart(3, '0')}`))].sort();
    // A rule of several severities has none of its own: its results' levels tell them.
    const score = severities.size === 1 ? { 'security-severity': scores[(found[0] as Finding).severity] } : {};
    return { id, properties: { tags: ['security', ...tags], ...score } };
  });
}

const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

/** What a tool reported in one place of one file. */
export interface SarifResult {
  /** The file, as the log names it: decoded, with neither `file://` nor a base. */
  file: string;
  region: Region;
  unit: ColumnUnit;
  /** Its rule's id, without the tool's name. */
  rule: string;
  /** All that the log says; empty where it says nothing of weaknesses. */
  cwes: Cwe[];
  severity: Severity;
  message: string;
}

export interface SarifLog {
  results: SarifResult[];
  /** The files that the tool says it has seen. */
  files: string[];
  /** What the tool says went wrong: notifications of level error, invocations that did not succeed. */
  failures: string[];
}

/**
 * Reads a SARIF log of any tool; its rules may stand with the driver or with its extensions. Results without a place in a file are left out,
 * and suppressed ones.
 *
 * @throws SrcodeError `ERR_FILE_FORMAT` naming `where` for what is not SARIF 2.1.0.
 */
export function readSarif(text: string, where: string): SarifLog {
  const log = parse(text, where);
  const read: SarifLog = { results: [], files: [], failures: [] };
  for (const run of log.runs) {
    const unit = run.columnKind === 'unicodeCodePoints' ? 'codePoints' : 'utf16';
    const uriOf = (location: Artifact): string | undefined =>
      location.uri ?? run.artifacts[location.index]?.location?.uri;
    for (const result of run.results) {
      const place = result.locations[0]?.physicalLocation;
      const uri = place?.artifactLocation && uriOf(place.artifactLocation);
      const startLine = place?.region?.startLine;
      if (uri === undefined || place?.region === undefined || startLine === undefined) continue;
      if (result.suppressions.length > 0) continue;
      const rule = ruleOf(result, run.tool);
      read.results.push({
        file: decodeUri(uri),
        region: { ...place.region, startLine },
        unit,
        rule: result.ruleId ?? rule?.id ?? result.rule?.id ?? '',
        cwes: cwesOf(result, rule),
        severity: severityOf(result, rule),
        message: result.message.text,
      });
    }
    read.files.push(
      ...run.artifacts.flatMap(({ location }) => (location?.uri === undefined ? [] : [decodeUri(location.uri)])),
    );
    for (const { executionSuccessful, exitCodeDescription, toolExecutionNotifications } of run.invocations) {
      if (!executionSuccessful) read.failures.push(exitCodeDescription ?? 'the tool says that it failed');
      for (const { level, message } of toolExecutionNotifications) {
        if (level === 'error') read.failures.push(message.text);
      }
    }
  }
  return read;
}

/** The findings of results that are all about one source; those without a CWE get `cweOf`'s, or are left out where it has none. */
export function findingsOf(
  results: readonly SarifResult[],
  code: Uint8Array,
  tool: string,
  cweOf: (result: SarifResult) => Cwe | undefined = () => undefined,
): Finding[] {
  const lines = new SourceLines(code);
  return results.flatMap((result) => {
    const { region, unit, rule, cwes, severity, message } = result;
    const cwe = cwes[0] ?? cweOf(result);
    return cwe === undefined
      ? []
      : [{ cwe, severity, span: lines.span(region, unit), rule: `${tool}/${rule}`, message }];
  });
}

// clang writes 0 where it knows no line, as at the end of what a macro made.
const line = z.int().transform((number) => (number > 0 ? number : undefined));
const artifactSchema = z.object({ uri: z.string().optional(), index: z.int().default(-1) });
const level = z.enum(['none', 'note', 'warning', 'error']);
const ruleSchema = z.object({
  id: z.string(),
  defaultConfiguration: z.object({ level: level.default('warning') }).optional(),
  properties: z
    .object({
      tags: z.array(z.string()).default([]),
      // A string by its convention; some tools write a number.
      'security-severity': z.coerce.number().min(0).max(10).optional(),
      'problem.severity': z.string().optional(),
    })
    .optional(),
});
const rulesSchema = z.object({ name: z.string(), rules: z.array(ruleSchema).default([]) });
const componentSchema = z.object({ index: z.int().default(-1), name: z.string().optional() });
const messageSchema = z.object({ text: z.string().default('') });
const resultSchema = z.object({
  ruleId: z.string().optional(),
  ruleIndex: z.int().default(-1),
  rule: z
    .object({ id: z.string().optional(), index: z.int().default(-1), toolComponent: componentSchema.optional() })
    .optional(),
  level: level.optional(),
  message: messageSchema,
  locations: z
    .array(
      z.object({
        physicalLocation: z
          .object({
            artifactLocation: artifactSchema.optional(),
            region: z
              .object({
                startLine: line,
                startColumn: z.int().positive().default(1),
                endLine: line.optional(),
                endColumn: line.optional(),
              })
              .optional(),
          })
          .optional(),
      }),
    )
    .default([]),
  taxa: z.array(z.object({ id: z.string().optional(), toolComponent: componentSchema.optional() })).default([]),
  suppressions: z.array(z.unknown()).default([]),
});
const logSchema = z.object({
  version: z.literal('2.1.0'),
  runs: z.array(
    z.object({
      tool: z.object({ driver: rulesSchema, extensions: z.array(rulesSchema).default([]) }),
      columnKind: z.string().optional(),
      artifacts: z.array(z.object({ location: artifactSchema.optional() })).default([]),
      results: z
        .array(resultSchema)
        .nullish()
        .transform((results) => results ?? []),
      invocations: z
        .array(
          z.object({
            executionSuccessful: z.boolean(),
            exitCodeDescription: z.string().optional(),
            toolExecutionNotifications: z
              .array(z.object({ level: level.default('warning'), message: messageSchema }))
              .default([]),
          }),
        )
        .default([]),
    }),
  ),
});
type Artifact = z.output<typeof artifactSchema>;
type Rule = z.output<typeof ruleSchema>;
type Result = z.output<typeof resultSchema>;
type Log = z.output<typeof logSchema>;
type Tool = Log['runs'][number]['tool'];

function parse(text: string, where: string): Log {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SrcodeError('ERR_FILE_FORMAT', `${where} is not JSON: ${(cause as Error).message}`, { cause });
  }
  const parsed = logSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues
    .slice(0, 5)
    .map(({ path, message }) => `  ${path.join('.') || 'the log'}: ${message}`);
  throw new SrcodeError('ERR_FILE_FORMAT', [`${where} is not a SARIF 2.1.0 log:`, ...problems].join('\n'));
}

// CodeQL groups rules by pack, as extensions: `rule.toolComponent` says in which one `index` counts. An id with `/` may name a part of a rule.
function ruleOf({ ruleId, ruleIndex, rule }: Result, { driver, extensions }: Tool): Rule | undefined {
  const component = rule?.toolComponent === undefined ? driver : (extensions[rule.toolComponent.index] ?? driver);
  const byIndex = component.rules[rule !== undefined && rule.index >= 0 ? rule.index : ruleIndex];
  if (byIndex !== undefined) return byIndex;
  const id = ruleId ?? rule?.id;
  return [driver, ...extensions].flatMap(({ rules }) => rules).find((known) => known.id === id);
}

function cwesOf({ taxa }: Result, rule: Rule | undefined): Cwe[] {
  const named = taxa
    .filter(({ toolComponent }) => /^cwe$/i.test(toolComponent?.name ?? ''))
    .map(({ id }) => `cwe-${id}`);
  const words = [...named, ...(rule?.properties?.tags ?? [])];
  const numbers = words.flatMap((word) => /(?:^|\/)cwe-0*(\d+)$/i.exec(word)?.[1] ?? []);
  return [...new Set(numbers)].map((number): Cwe => `CWE-${Number(number)}`);
}

// CVSS 3's classes; critical is high here.
function severityOf(result: Result, rule: Rule | undefined): Severity {
  const score = rule?.properties?.['security-severity'];
  if (score !== undefined) return score >= 7 ? 'high' : score >= 4 ? 'medium' : 'low';
  const word = result.level ?? rule?.properties?.['problem.severity'] ?? rule?.defaultConfiguration?.level;
  return word === 'error' ? 'high' : word === undefined || word === 'warning' ? 'medium' : 'low';
}

function decodeUri(uri: string): string {
  const path = uri.replace(/^file:(?:\/\/)?(?=\/)/, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
