import type { LlmClient } from '../llm/index.js';
import { type LlmVerdict, llmVerdict, promptVersion, systemPrompt, userPrompt } from './llm-prompt.js';
import { QuotedProgram, type Unlocated } from './quotes.js';
import type { Finding, SecureSpan, Span, Teacher, Verdict } from './teacher.js';

/**
 * A language model as a teacher: it quotes the code that makes a program secure and the code that is vulnerable, and a quote marks the bytes
 * where it stands. Quotes that stand nowhere, in several places or in comments are dropped and counted. A program about which the model gives
 * no answer of the right form counts as one that does not parse and lacks something: it is neither credited nor cleared.
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
      const question = { system: systemPrompt, user, name: 'verdict', schema: llmVerdict };
      const { value, attempts, usage } = await client.ask(question, { signal });
      const spent = { attempts, tokens: usage.prompt + usage.completion, cost: client.budget.cost(usage) };
      const { verdict, counts } = read(value ?? { secure: [], vulnerabilities: [] }, program, { rule: id, model });
      const unanswered = Number(value === undefined);
      // Code that keeps the teacher from answering must not be better off than code that it finds a flaw in.
      const missing = value === undefined ? ['code that the teacher can judge'] : [];
      return { ...verdict, missing, parseOk: value !== undefined, counts: { ...counts, unanswered, ...spent } };
    },
  };
}

function read(
  { secure, vulnerabilities }: LlmVerdict,
  program: QuotedProgram,
  { rule, model }: { rule: string; model: string },
): { verdict: Pick<Verdict, 'spans' | 'findings' | 'idle'>; counts: Record<string, number> } {
  const dropped: Record<Unlocated, number> = { missing: 0, ambiguous: 0, comment: 0 };
  const located = <T extends { quote: string }>(items: readonly T[]): { item: T; spans: Span[] }[] =>
    items.flatMap((item) => {
      const spans = program.locate(item.quote);
      if (typeof spans !== 'string') return [{ item, spans }];
      dropped[spans]++;
      return [];
    });
  const spans = located(secure).map(({ spans }) => spans);
  const findings = located(vulnerabilities).map(({ item: { cwe, severity }, spans }): Finding => {
    const span = { start: spans[0]?.start ?? 0, end: spans.at(-1)?.end ?? 0 };
    return { cwe, severity, span, rule, message: `${cwe}, as ${model} sees it` };
  });
  const { missing, ambiguous, comment } = dropped;
  return {
    verdict: { spans: obligations(spans), findings, idle: [] },
    counts: {
      quotes: secure.length + vulnerabilities.length,
      ...{ 'quotes-missing': missing, 'quotes-ambiguous': ambiguous, 'quotes-comment': comment },
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
