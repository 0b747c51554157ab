import { SrcodeError } from '../errors.js';
import type { CodeLanguage, Finding, IdleGuard, SecureSpan } from '../teacher/teacher.js';
import { CParser } from './c/syntax.js';
import { credited, type Judged, judge, type Walked } from './credit.js';
import { Program } from './engine/program.js';
import type { Rule } from './engine/rule.js';
import { pythonRules } from './python/rules.js';
import { PythonParser } from './python/syntax.js';
import { PythonWalk } from './python/walk.js';
import { listeners, rules } from './rules/index.js';
import { severityOf } from './severity.js';
import type { Source } from './syntax/source.js';

export type Language = CodeLanguage;

/** What the embedded engine says of code. Positions are UTF-8 bytes of the code as it came. */
export interface Analysis {
  findings: Finding[];
  /** The code that keeps findings away: without it, one appears. Spans of one obligation share its id. */
  spans: SecureSpan[];
  /** Guards that say only what others have said. */
  idle: IdleGuard[];
  parseOk: boolean;
}

/** Seconds: of reading the code, of judging it as it is, and of judging it with guards left out. */
export interface EngineCost {
  parse: number;
  walk: number;
  credit: number;
}

/** Changes whenever what the engine says of some code may change: part of every cached verdict's key. */
export const engineId = 'embedded-5';

interface Judgement extends Judged {
  source: Source;
  rules: ReadonlyMap<string, Rule>;
}

/** Judges code of one language; `lap` is called behind each part of the work but the last. */
type Judge = (code: Uint8Array, lap: (part: keyof EngineCost) => void) => Judgement;

const judges = new Map<Language, Judge>();

/** Loads the parsers of languages; once, before {@link analyze}. @throws ERR_IO where a grammar is not to be found. */
export async function loadEngine(languages: Iterable<Language> = ['c']): Promise<void> {
  for (const language of new Set(languages)) {
    if (judges.has(language)) continue;
    judges.set(
      language,
      language === 'python' ? pythonJudge(await PythonParser.load()) : cJudge(await CParser.load(language)),
    );
  }
}

function cJudge(parser: CParser): Judge {
  return (code, lap) => {
    const source = parser.parse(code);
    const program = new Program(source, (expansion) => parser.parse(expansion));
    lap('parse');
    return { source, rules, ...judge(program, listeners, () => lap('walk')) };
  };
}

function pythonJudge(parser: PythonParser): Judge {
  return (code, lap) => {
    const source = parser.parse(code);
    lap('parse');
    const walk = (off: ReadonlySet<string>): Walked => {
      const walk = new PythonWalk(source, off);
      walk.run();
      const { findings, guards } = walk;
      return {
        findings,
        guards,
        consulted: new Set(guards.keys()),
        asked: new Set(),
        repeated: new Map(),
        cost: source.root.end,
      };
    };
    const first = walk(new Set());
    lap('walk');
    return { source, rules: pythonRules, ...credited([{ first, again: walk }]) };
  };
}

/**
 * Judges code in this process: what is wrong with it, and which of it implements security. The code need be neither complete nor
 * compilable; what was cut off is read up to its last whole statement. What it took is added to `cost`.
 */
export function analyze(code: Uint8Array, { language }: { language: Language }, cost?: EngineCost): Analysis {
  const judge = judges.get(language);
  if (judge === undefined)
    throw new SrcodeError('ERR_INVALID_ARG', `analyze needs its parser: await loadEngine(['${language}']) once before`);
  let began = performance.now();
  const lap = (part: keyof EngineCost): void => {
    const now = performance.now();
    if (cost !== undefined) cost[part] += (now - began) / 1000;
    began = now;
  };
  const { source, findings, credits, repeated, rules } = judge(code, lap);
  lap('credit');
  return {
    findings: findings
      .map(({ rule: id, node, message }) => {
        const rule = rules.get(id);
        if (rule === undefined) throw new Error(`There is no rule ${id}`);
        return { cwe: rule.cwe, severity: severityOf(rule.cwe), span: source.span(node), rule: id, message };
      })
      .sort((a, b) => a.span.start - b.span.start || a.rule.localeCompare(b.rule, 'en')),
    spans: credits
      .map(({ guard, finding }) => ({
        span: source.span(guard),
        kind: rules.get(finding.rule)?.kind ?? '',
        obligation: `${finding.rule}@${source.span(finding.node).start}`,
      }))
      .sort((a, b) => a.span.start - b.span.start),
    idle: repeated.map((guard): IdleGuard => ({ span: source.span(guard), why: 'repeated' })),
    parseOk: source.parseOk,
  };
}
