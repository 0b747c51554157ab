import { type Paint, paintOf, printable } from '../terminal.js';

export interface ProgressStep {
  step: number;
  steps: number;
  /** Tokens of this step. */
  tokens: number;
  loss: number;
  /** What else to show. */
  also?: { readonly [name: string]: number };
}

interface Output {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/**
 * Tells a person how a run goes, on stderr: one line that is redrawn on a terminal, and otherwise a plain line now and then.
 * Colours only on a terminal without NO_COLOR.
 */
export class Progress {
  readonly #out: Output;
  readonly #now: () => number;
  readonly #rss: () => number;
  readonly #paint: Paint;
  // The last stretch of steps: rates follow the present, not the mean since the start.
  readonly #recent: { at: number; tokens: number }[] = [];
  #lastLine = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(
    out: Output = process.stderr,
    now: () => number = Date.now,
    rss: () => number = () => process.memoryUsage.rss(),
  ) {
    this.#out = out;
    this.#now = now;
    this.#rss = rss;
    this.#paint = paintOf(out.isTTY === true && !process.env.NO_COLOR);
  }

  step({ step, steps, tokens, loss, also = {} }: ProgressStep): void {
    const now = this.#now();
    this.#recent.push({ at: now, tokens });
    if (this.#recent.length > 32) this.#recent.shift();
    const tty = this.#out.isTTY === true;
    if (now - this.#lastLine < (tty ? 100 : 10_000) && step < steps) return;
    this.#lastLine = now;
    const rate = this.#rate();
    const parts = [`step ${step}/${steps}`, `loss ${loss.toFixed(4)}`];
    parts.push(...Object.entries(also).map(([name, value]) => `${name} ${value.toFixed(3)}`));
    if (rate !== undefined) {
      parts.push(`${Math.round(rate.tokensPerSecond)} tok/s`);
      if (step < steps) parts.push(`ETA ${duration((steps - step) * rate.secondsPerStep)}`);
    }
    parts.push(`${Math.round(this.#rss() / 2 ** 20)} MiB`);
    const text = printable(parts.join('  '));
    if (!tty) {
      this.#out.write(`${text}\n`);
      return;
    }
    // A terminal without a size says 0 columns.
    this.#out.write(`\r\x1b[K${text.slice(0, (this.#out.columns || 80) - 1)}`);
    this.#drawn = true;
  }

  /** A line that stays. */
  note(message: string, level: 'info' | 'warn' | 'error' = 'info'): void {
    const mark = { info: '', warn: this.#paint.yellow('warning: '), error: this.#paint.red('error: ') }[level];
    this.#clear();
    this.#out.write(printable(`${mark}${message}\n`));
  }

  /** Leaves the status line as it is and goes on below it. */
  done(): void {
    if (this.#drawn) this.#out.write('\n');
    this.#drawn = false;
  }

  #clear(): void {
    if (this.#drawn) this.#out.write('\r\x1b[K');
    this.#drawn = false;
  }

  #rate(): { tokensPerSecond: number; secondsPerStep: number } | undefined {
    const first = this.#recent[0];
    const last = this.#recent.at(-1);
    if (first === undefined || last === undefined || last.at <= first.at) return undefined;
    const seconds = (last.at - first.at) / 1000;
    const later = this.#recent.slice(1);
    return {
      tokensPerSecond: later.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
      secondsPerStep: seconds / later.length,
    };
  }
}

/** `1:02:03`, `2:03`, `12 s`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  const rest = `${two(whole % 60)}`;
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${rest}`;
}
