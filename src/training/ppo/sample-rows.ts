import { tokenTexts } from '../../tokenizer/token-texts.js';
import { type Experience, type Stage, unpack } from './experience.js';
import { isClean } from './ppo-metrics.js';

/** A row of samples.jsonl: an answer with what each of its tokens earned, and how much the first policy gradient heeds it. */
export interface PpoSampleRow {
  [key: string]: unknown;
  step: number;
  /** The prompt's id. */
  id: string;
  prompt: string;
  /** What the task puts before the answer. */
  prefix: string;
  answer: string;
  /** The sampled tokens' texts; bytes that are no UTF-8 by themselves as `\xNN`. The arrays below have as many entries. */
  tokens: string[];
  /** r_t. */
  reward: number[];
  /** A_t, as the updates take it. */
  advantage: number[];
  /** |A_t| w(1), the size of the token's ∂loss/∂log π at the first update; w(1) is 1 for every clip. */
  weight: number[];
  /** What r_t is the sum of. */
  parts: { [name: string]: number[] };
  secure: boolean[];
  findings: string[];
  missing: string[];
  compiled: boolean | null;
  functional: boolean | null;
  /** Guards that the answer fails; null where none were asked. */
  guards: string[] | null;
  /** By the teacher. */
  secureVerdict: boolean;
}

/** The first answers of an iteration, one a prompt. */
export function sampleRows(
  experience: Experience,
  { config, tokenizer, verdicts: oracle }: Stage,
  { step, beta }: { step: number; beta: number },
): PpoSampleRow[] {
  const { rollouts, cuSeqlens, rewards, advantages, kl, earned, verdicts, judgements } = experience;
  const chosen = rollouts
    .flatMap((rollout, b) => (b % config.samples === 0 ? [{ rollout, b }] : []))
    .slice(0, config.shown);
  const inReward = config.kl.estimator === 'k1' ? beta : 0;
  return chosen.map(({ rollout, b }) => {
    const { prompt, ids } = rollout;
    const { code, answerStart } = oracle.task.program(rollout);
    const { token = new Float32Array(), penalty = 0, terminal = 0, secureTokens = [] } = earned[b] ?? {};
    const [verdict, judgement] = [verdicts[b], judgements?.[b]];
    const advantage = unpack(advantages, cuSeqlens, b);
    return {
      ...{ step, id: prompt.id, prompt: prompt.text },
      prefix: text(code.subarray(0, answerStart)),
      answer: text(rollout.answer),
      tokens: tokenTexts(Array.from(ids, (id) => tokenizer.bytes([id]))),
      reward: rounded(unpack(rewards, cuSeqlens, b)),
      advantage: rounded(advantage),
      weight: rounded(advantage.map(Math.abs)),
      parts: {
        tokens: rounded(token),
        penalty: rounded(token.map(() => -penalty)),
        sequence: rounded(token.map((_, t) => (t === token.length - 1 ? terminal : 0))),
        KL: rounded(unpack(kl, cuSeqlens, b).map((nats) => -inReward * nats)),
      },
      secure: Array.from(secureTokens, (marked) => marked === 1),
      findings: [
        ...(verdict?.findings ?? []).map(({ cwe, message }) => `${cwe}: ${message}`),
        ...(judgement?.findings ?? []),
      ],
      missing: verdict?.missing ?? [],
      compiled: judgement?.compiled ?? null,
      functional: judgement?.functional ?? null,
      guards: experience.guarded?.[b]?.failed ?? null,
      secureVerdict: isClean(verdict),
    };
  });
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

// Six digits: what a reader of the rows can use, and what their size can bear.
function rounded(values: Float32Array): number[] {
  return Array.from(values, (value) => Number(value.toPrecision(6)));
}
