import { SrcodeError } from '../errors.js';
import type { Finding, SecureSpan } from '../teacher/teacher.js';
import { CParser } from './c/syntax.js';
import { judge } from './credit.js';
import { Program } from './engine/program.js';
import { families, rules } from './rules/index.js';
import { severityOf } from './severity.js';

export type Language = 'c' | 'cpp';

/** What the embedded engine says of code. Positions are UTF-8 bytes of the code as it came. */
export interface Analysis {
  findings: Finding[];
  /** The code that keeps findings away: without it, one appears. Spans of one obligation share its id. */
  spans: SecureSpan[];
  parseOk: boolean;
}

/** Seconds: of reading the code, of judging it as it is, and of judging it with guards left out. */
export interface EngineCost {
  parse: number;
  walk: number;
  credit: number;
}

/** Changes whenever what the engine says of some code may change: part of every cached verdict's key. */
export const engineId = 'embedded-1';

const parsers = new Map<Language, CParser>();

/** Loads the parsers of languages; once, before {@link analyze}. @throws ERR_IO where a grammar is not to be found. */
export async function loadEngine(languages: Iterable<Language> = ['c']): Promise<void> {
  for (const language of new Set(languages))
    if (!parsers.has(language)) parsers.set(language, await CParser.load(language));
}

/**
 * Judges code in this process: what is wrong with it, and which of it implements security. The code need be neither complete nor
 * compilable; what was cut off is read up to its last whole statement. What it took is added to `cost`.
 */
export function analyze(code: Uint8Array, { language }: { language: Language }, cost?: EngineCost): Analysis {
  const parser = parsers.get(language);
  if (parser === undefined)
    throw new SrcodeError('ERR_INVALID_ARG', `analyze needs its parser: await loadEngine(['${language}']) once before`);
  let began = performance.now();
  const lap = (part: keyof EngineCost): void => {
    const now = performance.now();
    if (cost !== undefined) cost[part] += (now - began) / 1000;
    began = now;
  };
  const source = parser.parse(code);
  const program = new Program(source, (expansion) => parser.parse(expansion));
  lap('parse');
  const { findings, credits } = judge(program, families, () => lap('walk'));
  lap('credit');
  return {
    findings: findings
      .map(({ rule: id, node, message }) => {
        const rule = rules.get(id);
        if (rule === undefined) throw new Error(`There is no rule ${id}`);
        return { cwe: rule.cwe, severity: severityOf(rule.cwe), span: source.span(node), rule: id, message };
      })
      .sort((a, b) => a.span.start - b.span.start || a.rule.localeCompare(b.rule)),
    spans: credits
      .map(({ guard, finding }) => ({
        span: source.span(guard),
        kind: rules.get(finding.rule)?.kind ?? '',
        obligation: `${finding.rule}@${source.span(finding.node).start}`,
      }))
      .sort((a, b) => a.span.start - b.span.start),
    parseOk: source.parseOk,
  };
}
