import { z } from 'zod';
import type { LlmClient } from '../llm/index.js';
import { type LlmVerdict, llmVerdict, promptVersion, systemPrompt, userPrompt } from './llm-prompt.js';
import { QuotedProgram, type Unlocated } from './quotes.js';
import type { Cwe, Finding, SecureSpan, Span, Teacher, Verdict } from './teacher.js';

/**
 * A language model as a teacher: it quotes the code that makes a program secure and the code that is vulnerable, and a quote marks the bytes
 * where it stands. Credit whose quote stands nowhere, in several places or in comments is dropped and counted. A flaw that cannot be located
 * still counts, against the whole program: no code may keep a flaw from being counted by where else it repeats it. A program about which the
 * model gives no answer of the right form counts as one that does not parse and lacks something: it is neither credited nor cleared.
 *
 * @throws what {@link LlmClient.ask} throws: an endpoint that fails is no verdict.
 */
export function llmTeacher(client: LlmClient): Teacher {
  const { model } = client.endpoint;
  const id = `llm:${model}:${promptVersion}`;
  return {
    id,
    async judge(code, { language, task }, { signal } = {}) {
      const program = new QuotedProgram(code, language);
      const text = (task as { text?: unknown } | undefined)?.text;
      const user = userPrompt(program.text, { language, task: typeof text === 'string' ? text : undefined });
      // An answer that stands in the program is the program's word, whoever repeats it.
      const schema = z
        .unknown()
        .refine((answer) => !program.contains(answer), 'it was copied from the program')
        .pipe(llmVerdict);
      const question = { system: systemPrompt, user, name: 'verdict', schema };
      const { value, attempts, usage } = await client.ask(question, { signal });
      const spent = { attempts, tokens: usage.prompt + usage.completion, cost: client.budget.cost(usage) };
      const whole = { start: 0, end: code.length };
      const { verdict, counts } = read(value ?? { secure: [], vulnerabilities: [] }, program, {
        rule: id,
        model,
        whole,
      });
      if (value !== undefined)
        return { ...verdict, missing: [], parseOk: true, counts: { ...counts, unanswered: 0, ...spent } };
      // Code that keeps the teacher from answering must not be better off than code that it finds a flaw in.
      const missing = ['code that the teacher can judge'];
      return { ...verdict, missing, parseOk: false, silent: true, counts: { ...counts, unanswered: 1, ...spent } };
    },
  };
}

function read(
  { secure, vulnerabilities }: LlmVerdict,
  program: QuotedProgram,
  { rule, model, whole }: { rule: string; model: string; whole: Span },
): { verdict: Pick<Verdict, 'spans' | 'findings' | 'idle'>; counts: Record<string, number> } {
  const dropped: Record<Unlocated, number> = { missing: 0, ambiguous: 0, comment: 0 };
  const spans = secure.flatMap(({ quote, line }) => {
    const spans = program.locate(quote, line);
    if (typeof spans !== 'string') return [spans];
    dropped[spans]++;
    return [];
  });
  let unlocated = 0;
  const findings = vulnerabilities.map(({ cwe: name, severity, quote, line }): Finding => {
    const cwe: Cwe = `CWE-${Number(name.slice(4))}`;
    const spans = program.locate(quote, line);
    if (typeof spans === 'string') unlocated++;
    const [first, last] = typeof spans === 'string' ? [whole, whole] : [spans[0] ?? whole, spans.at(-1) ?? whole];
    const span = { start: first.start, end: last.end };
    return { cwe, severity, span, rule, message: `${cwe}, as ${model} sees it` };
  });
  const { missing, ambiguous, comment } = dropped;
  return {
    verdict: { spans: obligations(spans), findings, idle: [] },
    counts: {
      quotes: secure.length + vulnerabilities.length,
      ...{ 'quotes-missing': missing, 'quotes-ambiguous': ambiguous, 'quotes-comment': comment },
      'findings-unlocated': unlocated,
    },
  };
}

/** One obligation a quote, except that quotes which overlap are about one thing, and their bytes are marked once. */
function obligations(quotes: readonly Span[][]): SecureSpan[] {
  const groups: Span[][] = [];
  for (const quote of quotes.toSorted((a, b) => (a[0]?.start ?? 0) - (b[0]?.start ?? 0))) {
    const last = groups.at(-1);
    const end = Math.max(0, ...(last ?? []).map((span) => span.end));
    if (last !== undefined && (quote[0]?.start ?? 0) < end) last.push(...quote);
    else groups.push([...quote]);
  }
  return groups.flatMap((group, i) =>
    merged(group).map((span) => ({ span, kind: 'quoted', obligation: `quote-${i + 1}` })),
  );
}

function merged(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    const last = out.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else out.push({ start, end });
  }
  return out;
}
