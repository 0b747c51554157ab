import type { LlmBudget, LlmPrice } from '../config/llm.js';
import { SrcodeError } from '../errors.js';
import { type AnswerStore, type Usage, usageOf } from './answers.js';

/**
 * Keeps what is spent under a limit, whatever is under way: a request first sets aside the most that it can use. What a store already holds
 * counts, so that a resumed run has no second budget.
 */
export class Budget {
  readonly #limit: LlmBudget;
  readonly #price: LlmPrice;
  readonly #settled: (() => void)[] = [];
  #underWay = 0;
  #used: Usage;

  constructor({ budget, price }: { budget: LlmBudget; price: LlmPrice }, store: AnswerStore) {
    this.#limit = budget;
    this.#price = price;
    this.#used = usageOf(store);
  }

  /** Tokens used or set aside. */
  get tokens(): number {
    return this.#used.prompt + this.#used.completion;
  }

  /** Money for them. */
  get money(): number {
    return this.cost(this.#used);
  }

  cost({ prompt, completion }: Usage): number {
    return (prompt * this.#price.prompt + completion * this.#price.completion) / 1e6;
  }

  /**
   * Sets `most` aside, when what is under way may leave room for it after that has ended; what comes back settles it by what was used.
   * @throws ERR_BUDGET where it does not fit.
   */
  async reserve(most: Usage): Promise<(used: Usage) => void> {
    for (let problem = this.#problem(most); problem !== undefined; problem = this.#problem(most)) {
      if (this.#underWay === 0) throw problem;
      await new Promise<void>((resolve) => this.#settled.push(resolve));
    }
    this.#underWay++;
    this.#add(most, 1);
    return (used) => {
      this.#underWay--;
      this.#add(most, -1);
      this.#add(used, 1);
      for (const resolve of this.#settled.splice(0)) resolve();
    };
  }

  #problem(most: Usage): SrcodeError | undefined {
    const { tokens, money } = this.#limit;
    const needed = most.prompt + most.completion;
    if (tokens !== null && this.tokens + needed > tokens) {
      return spent(`${this.tokens} of ${tokens} tokens are used, and the next request may need ${needed}`, 'tokens');
    }
    if (money !== null && this.money + this.cost(most) > money) {
      const next = this.cost(most).toFixed(4);
      return spent(`${this.money.toFixed(4)} of ${money} is spent, and the next request may cost ${next}`, 'money');
    }
    return undefined;
  }

  #add({ prompt, completion }: Usage, sign: 1 | -1): void {
    this.#used = {
      prompt: this.#used.prompt + sign * prompt,
      completion: this.#used.completion + sign * completion,
    };
  }
}

function spent(what: string, key: keyof LlmBudget): SrcodeError {
  return new SrcodeError(
    'ERR_BUDGET',
    `The language model's budget is used up: ${what}. Raise llm.budget.${key} and resume; what was answered is kept.`,
  );
}
