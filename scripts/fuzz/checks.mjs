// What must hold of any input: the engine, what is made of its verdict, the guards and the family's teacher.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { analyze, loadEngine } from '../../dist/analysis/analysis.js';
import { findingsOf, readSarif, toSarif } from '../../dist/analysis/external/sarif.js';
import { lexemes } from '../../dist/analysis/lexemes.js';
import { pythonRules } from '../../dist/analysis/python/rules.js';
import { rules } from '../../dist/analysis/rules/index.js';
import { jsonObject } from '../../dist/llm/json.js';
import { guardGrade } from '../../dist/reward/guards.js';
import { guardAnswers } from '../../dist/reward/index.js';
import { markedTokens } from '../../dist/reward/marked-tokens.js';
import { familyTeacher } from '../../dist/tasks/family/index.js';
import { steps } from '../../dist/tasks/family/steps.js';
import { QuotedProgram } from '../../dist/teacher/quotes.js';
import { Tokenizer } from '../../dist/tokenizer/index.js';
import { replaceInvalid } from '../../dist/utf8.js';

/** Something that must not be. `check` names what was asked. */
export class Broken extends Error {}

/** CPU milliseconds that a check may take of `length` bytes: far more than honest code needs, which is what a hostile answer may cost. */
export const allowed = (length) => 3000 + length * 0.05;

let tokenizer;
let sarifSchema;

export async function loadChecks() {
  await loadEngine(['c', 'cpp', 'python']);
  tokenizer = await Tokenizer.load('tiny');
  const shipped = dirname(createRequire(import.meta.url).resolve('@microsoft/jest-sarif/package.json'));
  const text = readFileSync(join(shipped, 'lib/schemas/sarif-2.1.0-rtm.5.json'), 'utf8');
  // zod takes `uri-reference` for `uri` and so would refuse relative paths.
  sarifSchema = z.fromJSONSchema(
    JSON.parse(text, (key, value) => (key === 'format' && value === 'uri-reference' ? undefined : value)),
  );
}

/**
 * Runs every check over an input.
 * @param {import('./inputs.mjs').Input} input
 * @param {{ language: 'c' | 'cpp' | 'python', thorough: boolean, timed: (name: string, look: () => unknown) => unknown }} about
 *   `timed` runs a look and takes its time; `thorough` adds the slow checks.
 * @returns {Promise<string>} what the engine said, to compare with what it says the next time
 * @throws {Broken} and whatever the engine throws
 */
export async function check({ code, prompt }, { language, thorough, timed }) {
  const before = Buffer.from(code);
  const verdict = timed('analyze', () => analyze(code, { language }));
  if (!before.equals(code)) throw new Broken('the engine changed its input');
  checkVerdict(code, verdict, language === 'python' ? pythonRules : rules);
  const clean = Buffer.from(replaceInvalid(code));
  const latin = clean.toString('latin1');
  timed('lexemes', () => checkLexemes(latin, language));
  if (code.length <= 200_000) timed('tokens', () => checkTokens(clean, verdict));
  timed('sarif', () => checkSarif(clean, verdict, thorough));
  if (thorough && code.length <= 50_000) timed('quotes', () => checkQuotes(clean, language));
  if (code.length <= 200_000) await timed('guards', () => checkGuards(code, language, prompt));
  if (prompt !== undefined) await timed('family', () => checkFamily(code, prompt));
  return JSON.stringify(verdict);
}

/** What the engine says, as {@link check} returns it. */
export function said(code, language) {
  return JSON.stringify(analyze(code, { language }));
}

function checkSpan(code, { start, end }, of) {
  if (!Number.isInteger(start) || !Number.isInteger(end)) throw new Broken(`${of}: [${start}, ${end}) are no integers`);
  if (!(start >= 0 && start < end && end <= code.length)) {
    throw new Broken(`${of}: [${start}, ${end}) is not inside the text, or is empty`);
  }
  for (const at of [start, end]) {
    // Where bytes that are no UTF-8 have become one character each, what begins with 10 is always inside one.
    if ((code[at] & 0xc0) === 0x80) throw new Broken(`${of}: [${start}, ${end}) cuts a character`);
  }
}

export function checkVerdict(raw, { findings, spans, parseOk }, table = rules) {
  const code = replaceInvalid(raw);
  if (typeof parseOk !== 'boolean') throw new Broken('parseOk is not said');
  for (const { rule, cwe, severity, span, message } of findings) {
    checkSpan(code, span, `finding ${rule}`);
    const row = table.get(rule);
    if (row === undefined) throw new Broken(`finding of no rule: ${rule}`);
    if (!/^CWE-\d+$/.test(cwe) || !/^(high|medium|low)$/.test(severity))
      throw new Broken(`${rule}: ${cwe} ${severity}`);
    if (typeof message !== 'string' || message === '') throw new Broken(`${rule} says nothing`);
  }
  for (const { kind, span, obligation } of spans) {
    checkSpan(code, span, `span ${kind}`);
    const [, id, at] = /^(.*)@(\d+)$/.exec(obligation) ?? [];
    const row = table.get(id);
    if (row === undefined) throw new Broken(`span of no rule: ${obligation}`);
    if (row.kind !== kind) throw new Broken(`${obligation} is not of the kind ${kind}`);
    if (!(Number(at) < code.length)) throw new Broken(`${obligation} is not inside the text`);
  }
  for (const list of [findings, spans]) {
    for (const [i, { span }] of list.entries()) {
      if (i > 0 && span.start < list[i - 1].span.start) throw new Broken('findings or spans are out of order');
    }
  }
}

function checkLexemes(text, language) {
  let at = 0;
  for (const { start, end, text: own, kind } of lexemes(text, language)) {
    if (!(start >= at && end > start && end <= text.length)) throw new Broken(`lexeme [${start}, ${end}) after ${at}`);
    if (text.slice(start, end) !== own) throw new Broken(`lexeme [${start}, ${end}) is other text`);
    if (!/^(comment|string|word|number|mark)$/.test(kind)) throw new Broken(`a lexeme of kind ${kind}`);
    if (/[^\s\\]/.test(text.slice(at, start))) throw new Broken(`no lexeme for [${at}, ${start})`);
    at = end;
  }
  if (/[^\s\\]/.test(text.slice(at))) throw new Broken(`no lexeme for what follows ${at}`);
}

function checkTokens(code, { spans }) {
  const tokens = markedTokens(
    code,
    spans.map(({ span }) => span),
    tokenizer,
  );
  let at = 0;
  for (const { start, end, secure } of tokens) {
    if (start !== at || end < start) throw new Broken(`token [${start}, ${end}) after ${at}`);
    at = end;
    const touched = spans.some(({ span }) => span.start < end && span.end > start);
    if (secure && !touched) throw new Broken(`token [${start}, ${end}) is rewarded for nothing`);
  }
  if (at !== code.length) throw new Broken(`tokens end at ${at}`);
}

function checkSarif(code, { findings }, thorough) {
  const log = toSarif([{ file: 'a b/é.c', code, findings }]);
  if (thorough) {
    const { success, error } = sarifSchema.safeParse(log);
    if (!success) throw new Broken(`the SARIF log is invalid: ${error.issues[0]?.message}`);
  }
  const { results } = readSarif(JSON.stringify(log), 'the log');
  if (results.length !== findings.length) throw new Broken('the SARIF log lacks findings');
  for (const [i, back] of findingsOf(results, code, 'x').entries()) {
    const { span, cwe, rule } = findings[i];
    if (back.cwe !== cwe || back.rule !== `x/${rule}`)
      throw new Broken(`SARIF makes ${back.cwe} ${back.rule} of ${cwe} ${rule}`);
    if (back.span.start !== span.start || back.span.end !== span.end) {
      throw new Broken(`SARIF makes [${back.span.start}, ${back.span.end}) of [${span.start}, ${span.end})`);
    }
  }
}

function checkQuotes(code, language) {
  const program = new QuotedProgram(code, language);
  const third = Math.floor(code.length / 3);
  for (const quote of [
    program.text,
    program.text.slice(third, third + 40),
    program.text.slice(0, 12).replaceAll(/\s/g, ' '),
  ]) {
    const places = program.locate(quote);
    if (typeof places !== 'string') for (const span of places) checkSpan(code, span, 'quote');
  }
  const found = jsonObject(program.text);
  if (!('value' in found) && typeof found.problem !== 'string') throw new Broken('an answer is neither JSON nor not');
}

async function checkGuards(code, language, prompt) {
  const half = code.length >> 1;
  const answer = { code, answerStart: 0, answerEnd: code.length, language, finished: true };
  const text = Buffer.from(code).toString('utf8');
  const answers = [
    { ...answer, expects: undefined },
    {
      ...answer,
      answerStart: half,
      expects: {
        reference: text.slice(half >> 1),
        signature: text.slice(0, 60),
        calls: ['malloc', text.slice(half, half + 5)],
      },
    },
    { ...answer, answerEnd: half, finished: false, expects: { ...prompt?.expects, reference: text } },
  ];
  const reports = await guardAnswers(answers, { when: 'always', shortest: 0.5, longest: 2, similarity: 0.2 });
  for (const report of reports) {
    const grade = guardGrade(report);
    if (!(grade === 1 || (grade >= -1 && grade < 0))) throw new Broken(`the guards' grade is ${grade}`);
    if (!report.failed.every((name) => report.applied.includes(name)))
      throw new Broken('a guard that is not applied failed');
  }
}

async function checkFamily(code, prompt) {
  const clean = replaceInvalid(code);
  const { findings, spans, idle, missing } = await familyTeacher.judge(code, { language: 'c', task: prompt });
  for (const { span, rule, cwe } of findings) {
    checkSpan(clean, span, rule);
    if (!/^CWE-\d+$/.test(cwe) || !Object.hasOwn(steps, rule.replace('family/', '')))
      throw new Broken(`${rule} ${cwe}`);
  }
  for (const { span, obligation } of spans) {
    checkSpan(clean, span, obligation);
    if (!Object.hasOwn(steps, obligation)) throw new Broken(`span of no step: ${obligation}`);
  }
  for (const { span, why } of idle) checkSpan(clean, span, why);
  for (const step of missing) if (!Object.hasOwn(steps, step)) throw new Broken(`missing is no step: ${step}`);
}
