import { createHash } from 'node:crypto';
import { embeddedTeacher } from '../../analysis/embedded.js';
import { type Lexeme, lexemes } from '../../analysis/lexemes.js';
import { type GroupedPair, loadPairs, permutation } from '../../dataset/index.js';
import { completionPrompt } from '../../dataset/prompts.js';
import { SrcodeError } from '../../errors.js';
import type { Split, Task, TaskPrompt } from '../task.js';

/** Asks for the rest of a real function, from before the place where it was once vulnerable. */
export interface PairPrompt extends TaskPrompt {
  /** The function's beginning. */
  prefix: string;
}

/** Raised when prompts or splits change. */
const version = 1;

/** Longest beginning in bytes: with its answer it has to fit into a small model's context. */
const longestPrefix = 2000;

/**
 * Prompts from real security fixes (PrimeVul's pairs or SVEN's), in C: the lines that a function has before its fix's first change, to be
 * gone on with. Nothing runs such code: guards know an honest answer by the fixed function's rest and by the calls that both versions
 * make there. A tenth of the commits is `test`, a tenth `validation`.
 * @throws ERR_DATA where no pair of the file can be asked about.
 */
export async function pairsTask(file: string): Promise<Task<PairPrompt>> {
  const { pairs } = await loadPairs([file], { languages: ['c'] });
  const splits: Record<Split, PairPrompt[]> = { train: [], validation: [], test: [] };
  const byId = new Map<string, PairPrompt>();
  for (const pair of pairs) {
    const prompt = promptOf(pair);
    if (prompt === undefined || byId.has(prompt.id)) continue;
    byId.set(prompt.id, prompt);
    splits[splitOf(pair.group)].push(prompt);
  }
  if (byId.size === 0) {
    throw new SrcodeError(
      'ERR_DATA',
      `${file}: none of its ${pairs.length} C pairs has its first change inside the body, within ${longestPrefix} bytes`,
    );
  }
  const content = createHash('sha256')
    .update(JSON.stringify([...byId.values()]))
    .digest('hex');
  return {
    name: 'pairs',
    version: `${version}.${content.slice(0, 12)}`,
    language: 'c',
    teacher: embeddedTeacher,
    prompt(split, seed, index) {
      const prompts = splits[split];
      if (prompts.length === 0) throw new SrcodeError('ERR_DATA', `${file}: has no pairs for the split ${split}`);
      const round = Math.floor(index / prompts.length);
      return prompts[permutation(prompts.length, seed, round)[index % prompts.length] as number] as PairPrompt;
    },
    promptOf(id) {
      const prompt = byId.get(id);
      if (prompt !== undefined) return prompt;
      const [example] = byId.keys();
      throw new SrcodeError('ERR_DATA', `Expected the id of a prompt from ${file}, such as ${example}; received ${id}`);
    },
    program({ prompt, answer }) {
      const prefix = Buffer.from(prompt.prefix);
      return { code: Buffer.concat([prefix, answer]), answerStart: prefix.length };
    },
  };
}

/** undefined: the fix changes the signature, begins too late, or leaves nothing to write. */
function promptOf({ before, after, cwe, language }: GroupedPair): PairPrompt | undefined {
  const prefix = commonLines(before, after);
  const rest = after.slice(prefix.length);
  const signature = signatureOf(prefix);
  if (signature === undefined || rest.trim() === '' || Buffer.byteLength(prefix) > longestPrefix) return undefined;
  const kept = new Set(callsOf(before.slice(prefix.length)));
  return {
    id: `pair-${createHash('sha256').update(`${before}\0${after}`).digest('hex').slice(0, 12)}`,
    text: completionPrompt({ code: prefix, language }),
    labels: { cwe: cwe.join('+') || 'unknown' },
    prefix,
    expects: { reference: rest, signature, calls: [...new Set(callsOf(rest))].filter((name) => kept.has(name)) },
  };
}

/** The whole lines with which both begin. */
function commonLines(a: string, b: string): string {
  let end = 0;
  for (let i = 0; i < a.length && a[i] === b[i]; i++) if (a[i] === '\n') end = i + 1;
  return a.slice(0, end);
}

/** What stands before the first brace, where there is one. */
function signatureOf(code: string): string | undefined {
  const brace = lexemes(code, 'c').find(({ kind, text }) => kind === 'mark' && text === '{');
  return brace && code.slice(0, brace.start).trim();
}

const keywords = new Set(['if', 'while', 'for', 'switch', 'return', 'sizeof', 'defined']);

function callsOf(code: string): string[] {
  const words = lexemes(code, 'c').filter(({ kind }) => kind !== 'comment');
  const isCall = ({ kind, text }: Lexeme, i: number): boolean =>
    kind === 'word' && !keywords.has(text) && words[i + 1]?.text === '(';
  return words.filter(isCall).map(({ text }) => text);
}

function splitOf(group: string): Split {
  const place = createHash('sha256').update(group).digest().readUInt32BE() / 2 ** 32;
  return place < 0.1 ? 'test' : place < 0.2 ? 'validation' : 'train';
}
