import { z } from 'zod';
import { SrcodeError } from '../../errors.js';
import type { Sandbox } from '../../sandbox/index.js';
import type { Cwe, Finding } from '../../teacher/teacher.js';
import type { Analyser, Analysis, SourceCode } from '../analyser.js';
import { openFileAnalyser } from './file-analyser.js';
import { distinct } from './groups.js';
import { SourceLines } from './source-lines.js';
import { findTool, type Tool } from './tools.js';

export function findBandit(sandbox: Sandbox): Promise<Tool | undefined> {
  return findTool(sandbox, ['bandit']);
}

/** Bandit, for Python. Undefined where it is not, on the sandbox's PATH. */
export function openBandit(
  sandbox: Sandbox,
  { batchSize = 100 }: { batchSize?: number } = {},
): Promise<Analyser | undefined> {
  return openFileAnalyser(sandbox, {
    ...{ name: 'bandit', rulesVersion: 2, batchSize, failed: [2] },
    extensions: { python: 'py' },
    // Comments that switch it off are the model's word.
    flags: ['--quiet', '--format', 'json', '--ignore-nosec'],
    // 1 when it found something.
    read: ({ status, stdout }, sources, names) =>
      status === null || status > 1 ? undefined : readBandit(stdout.toString('utf8'), sources, names),
  });
}

const reportSchema = z.object({
  errors: z.array(z.object({ filename: z.string(), reason: z.string() })),
  results: z.array(
    z.object({
      filename: z.string(),
      issue_severity: z.string(),
      issue_text: z.string(),
      line_number: z.int().positive(),
      // From 0, in bytes; since 1.7.1.
      col_offset: z.int().min(-1).default(-1),
      test_id: z.string(),
      // Since 1.7.3.
      issue_cwe: z.object({ id: z.int().optional() }).optional(),
    }),
  ),
});

/** Reads its JSON report. @internal */
export function readBandit(report: string, sources: readonly SourceCode[], names: readonly string[]): Analysis[] {
  const read = reportSchema.safeParse(JSON.parse(report));
  if (!read.success) {
    throw new SrcodeError(
      'ERR_ANALYSER',
      `The report of bandit is not in the form that we know: ${z.prettifyError(read.error)}`,
    );
  }
  const indexOf = (filename: string): number => names.indexOf(filename.replace(/^\.\//, ''));
  const failures = new Map(read.data.errors.map(({ filename, reason }) => [indexOf(filename), reason]));
  return sources.map(({ code }, i) => {
    const lines = new SourceLines(code);
    const findings = read.data.results
      // B4xx are imports: what is done with a module is another test's to say.
      .filter(({ filename, test_id }) => indexOf(filename) === i && !test_id.startsWith('B4'))
      .flatMap((result): Finding[] => {
        const { test_id, issue_cwe, issue_text, issue_severity, line_number, col_offset } = result;
        const cwe: Cwe | undefined = issue_cwe?.id ? `CWE-${issue_cwe.id}` : weaknesses[test_id];
        if (cwe === undefined) return [];
        const span =
          col_offset >= 0
            ? lines.span({ startLine: line_number, startColumn: col_offset + 1 }, 'bytes')
            : lines.line(line_number);
        const severity = issue_severity === 'HIGH' ? 'high' : issue_severity === 'MEDIUM' ? 'medium' : 'low';
        return [{ cwe, severity, span, rule: `bandit/${test_id}`, message: issue_text }];
      });
    return { findings: distinct(findings, code), failure: failures.get(i) };
  });
}

/** The weaknesses that Bandit names itself from 1.7.3 on (bandit/core/issue.py, and the plugins). */
const weaknesses: Readonly<Record<string, Cwe>> = {
  ...{
    B102: 'CWE-78',
    B103: 'CWE-732',
    B104: 'CWE-605',
    B105: 'CWE-259',
    B106: 'CWE-259',
    B107: 'CWE-259',
    B108: 'CWE-377',
  },
  ...{ B110: 'CWE-703', B112: 'CWE-703', B113: 'CWE-400', B201: 'CWE-94', B202: 'CWE-22' },
  ...{
    B301: 'CWE-502',
    B302: 'CWE-502',
    B303: 'CWE-327',
    B304: 'CWE-327',
    B305: 'CWE-327',
    B306: 'CWE-377',
    B307: 'CWE-78',
  },
  ...{
    B308: 'CWE-79',
    B310: 'CWE-22',
    B311: 'CWE-330',
    B312: 'CWE-319',
    B321: 'CWE-319',
    B323: 'CWE-295',
    B324: 'CWE-327',
  },
  ...{
    B313: 'CWE-20',
    B314: 'CWE-20',
    B315: 'CWE-20',
    B316: 'CWE-20',
    B317: 'CWE-20',
    B318: 'CWE-20',
    B319: 'CWE-20',
    B320: 'CWE-20',
  },
  ...{
    B501: 'CWE-295',
    B502: 'CWE-327',
    B503: 'CWE-327',
    B504: 'CWE-327',
    B505: 'CWE-326',
    B506: 'CWE-20',
    B507: 'CWE-295',
  },
  ...{
    B508: 'CWE-319',
    B509: 'CWE-319',
    B601: 'CWE-78',
    B602: 'CWE-78',
    B603: 'CWE-78',
    B604: 'CWE-78',
    B605: 'CWE-78',
  },
  ...{
    B606: 'CWE-78',
    B607: 'CWE-78',
    B608: 'CWE-89',
    B609: 'CWE-155',
    B610: 'CWE-89',
    B611: 'CWE-89',
    B612: 'CWE-94',
  },
  ...{ B701: 'CWE-94', B702: 'CWE-79', B703: 'CWE-79' },
};
