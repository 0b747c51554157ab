import { createHash } from 'node:crypto';
import type { Journal } from '../run/journal.js';

/** Where what models said is kept: a run's journal, or memory. */
export type AnswerStore = Pick<Journal, 'lookup' | 'record' | 'entries'>;

export function inMemory(): AnswerStore {
  const answers = new Map<string, unknown>();
  return {
    lookup: (key) => answers.get(key),
    record: (key, value) => void answers.set(key, value),
    entries: () => answers.entries(),
  };
}

/** What a model said, and what that used. */
export interface Reply {
  text: string;
  /** It ended because it reached its longest length. */
  cut: boolean;
  usage: Usage;
}

/** In tokens. */
export interface Usage {
  prompt: number;
  completion: number;
}

const prefix = 'llm ';

/** Names a reply by all that it was asked for. The endpoint is left out: a model may move. */
export function replyKey(request: object): string {
  return `${prefix}${createHash('sha256').update(JSON.stringify(request)).digest('hex')}`;
}

/** What the replies in a store used. */
export function usageOf(store: AnswerStore): Usage {
  const total = { prompt: 0, completion: 0 };
  for (const [key, value] of store.entries()) {
    if (!key.startsWith(prefix)) continue;
    const { usage } = value as Reply;
    total.prompt += usage.prompt;
    total.completion += usage.completion;
  }
  return total;
}
