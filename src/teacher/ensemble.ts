import { together } from '../concurrent.js';
import type { EnsembleConfig } from '../config/ensemble.js';
import { SrcodeError } from '../errors.js';
import type { Finding, IdleGuard, SecureSpan, Span, Teacher, Verdict } from './teacher.js';

/**
 * Several teachers as one. What they say about one place is one statement, in the words of the first of them that makes it; `union` keeps a
 * statement that anyone trusted makes, `vote` one that is made by more than half of the trust. Who could not judge the code is no vote for it:
 * it supports whatever others say against the code, and only more than half of the trust can clear it. How much they disagree is counted.
 * @throws ERR_CONFIG when the weights of a CWE are not one a member.
 */
export function ensembleTeacher(members: readonly Teacher[], { combine, trust }: EnsembleConfig): Teacher {
  const uneven = Object.entries(trust).find(([, weights]) => weights.length !== members.length);
  if (members.length === 0 || uneven !== undefined) {
    const received = uneven === undefined ? 'no teachers' : `${uneven[1].length} for ${uneven[0]}`;
    throw new SrcodeError(
      'ERR_CONFIG',
      `ensemble.trust: expected one weight for each of the ${members.length} teachers, received ${received}`,
    );
  }
  const weighed = Object.keys(trust).length === 0 ? '' : JSON.stringify(trust);
  return {
    byContent: members.every(({ byContent }) => byContent === true),
    id: `${combine}(${members.map(({ id }) => id).join(',')})${weighed}`,
    async judge(code, about, options) {
      const verdicts = await together(members, options?.signal, (member, signal) =>
        member.judge(code, about, { ...options, signal }),
      );
      const weights = (cwe?: string): readonly number[] => (cwe !== undefined && trust[cwe]) || members.map(() => 1);
      const weigh = (some: Iterable<number>, of: readonly number[]): number =>
        sum([...some].map((member) => of[member] ?? 0));
      const kept = <T>({ first, by }: Statement<T>, of = weights()): T[] => {
        const said = weigh(by, of);
        return (combine === 'union' ? said > 0 : said > sum(of) / 2) ? [first] : [];
      };
      const silent = verdicts.flatMap((verdict, member) => (verdict.silent ? [member] : []));
      const against = <T>({ first, by }: Statement<T>, of = weights()): T[] =>
        weigh(by, of) > 0 ? kept({ first, by: new Set([...by, ...silent]) }, of) : [];
      const unjudged = silent.length === members.length || (combine === 'vote' && 2 * silent.length >= members.length);
      const findings = statements(
        verdicts.map((verdict) => verdict.findings),
        sameFlaw(code),
      );
      const credits = statements(verdicts.map(obligationsOf), (a, b) => overlap(a.spans, b.spans));
      const idle = statements(
        verdicts.map((verdict) => verdict.idle),
        sameGuard,
      );
      const missing = statements(
        verdicts.map((verdict) => verdict.missing),
        (a, b) => a === b,
      );
      const broken = statements(
        verdicts.map(({ parseOk }) => (parseOk ? [] : [true])),
        () => true,
      );
      const credited = credits.flatMap((statement) => kept(statement));
      return {
        spans: credited.flatMap(({ spans }) => spans),
        findings: findings.flatMap((statement) => against(statement, weights(statement.first.cwe))),
        idle: idle.flatMap((statement) => kept(statement)),
        missing: [...missing.flatMap((statement) => against(statement)), ...(unjudged ? [tooFew] : [])],
        parseOk: broken.flatMap((statement) => against(statement)).length === 0 && !unjudged,
        ...(unjudged && { silent: true }),
        counts: {
          ...summed(verdicts),
          'disagreement-findings': disagreement(findings, members.length),
          'disagreement-credit': disagreement(credits, members.length),
        },
      };
    },
  };
}

const tooFew = 'code that enough of the teachers can judge';

/** Something that is said, and by which members. */
interface Statement<T> {
  first: T;
  by: Set<number>;
}

/** What a member says supports all that members before it say about the same; only what is about nothing of theirs is a new statement. */
function statements<T>(said: readonly (readonly T[])[], same: (a: T, b: T) => boolean): Statement<T>[] {
  const all: Statement<T>[] = [];
  for (const [member, items] of said.entries()) {
    const before = [...all];
    for (const item of items) {
      const supported = before.filter(({ first }) => same(first, item));
      for (const { by } of supported) by.add(member);
      if (supported.length === 0) all.push({ first: item, by: new Set([member]) });
    }
  }
  return all;
}

/** The share of statements that not all members make. */
function disagreement(all: readonly Statement<unknown>[], members: number): number {
  return all.length === 0 ? 0 : all.filter(({ by }) => by.size < members).length / all.length;
}

interface Obligation {
  spans: SecureSpan[];
}

/** Spans by obligation; two members' obligations of one name stay apart. */
function obligationsOf({ spans }: Verdict, member: number): Obligation[] {
  const groups = new Map<string, SecureSpan[]>();
  for (const span of spans) {
    const obligation = `${member + 1}:${span.obligation}`;
    const group = groups.get(obligation) ?? [];
    group.push({ ...span, obligation });
    groups.set(obligation, group);
  }
  return [...groups.values()].map((group) => ({ spans: group }));
}

function overlap(a: readonly SecureSpan[], b: readonly SecureSpan[]): boolean {
  return a.some((one) => b.some((other) => one.span.start < other.span.end && other.span.start < one.span.end));
}

/** The CWEs below CWE-119 in MITRE's view CWE-1000: names for one overrun, which teachers choose among as they like. */
const overruns = new Set(
  ['119', '120', '121', '122', '123', '124', '125', '126', '127', '131', '786', '787', '788', '805'].map(
    (n) => `CWE-${n}`,
  ),
);

/** One flaw by two names: lines in common, and the same CWE or two kinds of overrun. */
function sameFlaw(code: Uint8Array): (a: Finding, b: Finding) => boolean {
  const breaks = [...code.entries()].flatMap(([at, byte]) => (byte === 0x0a ? [at] : []));
  const line = (offset: number): number => breaks.filter((at) => at < offset).length;
  const lines = ({ start, end }: Span): [number, number] => [line(start), line(Math.max(start, end - 1))];
  return (a, b) => {
    if (a.cwe !== b.cwe && !(overruns.has(a.cwe) && overruns.has(b.cwe))) return false;
    const [[a0, a1], [b0, b1]] = [lines(a.span), lines(b.span)];
    return a0 <= b1 && b0 <= a1;
  };
}

function sameGuard(a: IdleGuard, b: IdleGuard): boolean {
  return a.why === b.why && a.span.start < b.span.end && b.span.start < a.span.end;
}

/** What members counted, added up. */
function summed(verdicts: readonly Verdict[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const { counts = {} } of verdicts) {
    for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
  }
  return total;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
