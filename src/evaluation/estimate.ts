/** A measured number with its 95 % interval. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
  /** How many independent things were measured: prompts, pairs, spans. */
  n: number;
}

/** How much one arm exceeds another one. */
export interface Difference extends Estimate {
  seeds: number;
  /** What the interval allows for. With one seed an arm it says nothing of the randomness of training. */
  covers: 'prompts' | 'prompts and seeds';
}
