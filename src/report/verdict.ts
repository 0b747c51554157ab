import type { ArmResult, Comparison, GateResult, ReportData } from './data.js';
import { interval, number, signed } from './format.js';

/** What the data say of a comparison, in plain words. */
export function headline({ arm, control, metric, difference }: Comparison): string {
  const points = Math.abs(difference.value * 100).toFixed(1);
  if (difference.low > 0) return `${arm} is ahead of ${control} by ${points} points of ${metric}.`;
  if (difference.high < 0) return `${arm} is behind ${control} by ${points} points of ${metric}.`;
  return `These data do not tell ${arm} from ${control}: the interval of the difference in ${metric} holds zero.`;
}

/** The figures behind the headline, and what their interval covers. */
export function verdict({ arm, control, difference }: Comparison): string {
  const figures = `${arm} minus ${control}: ${signed(difference.value)} ${interval(difference)}`;
  return difference.covers === 'prompts'
    ? `${figures}, one seed: the interval covers prompts, not training randomness.`
    : `${figures}, ${difference.seeds} seeds: the interval covers prompts and training randomness.`;
}

/** What else changed between the two arms, so that no gain stands alone. */
export function beside({ arm, control }: Comparison, arms: readonly ArmResult[]): string | undefined {
  const [a, b] = [arms.find(({ name }) => name === arm)?.overall, arms.find(({ name }) => name === control)?.overall];
  if (a === undefined || b === undefined) return undefined;
  const pairs: [string, number | undefined, number | undefined, number][] = [
    ['functional', a.functional.value, b.functional.value, 3],
    ['secure of valid', a.secureOfValid.value, b.secureOfValid.value, 3],
    ['missing steps', a.missing, b.missing, 2],
    ['repeated guards', a.repeated, b.repeated, 2],
    ['length', a.length, b.length, 0],
    ['KL', a.kl, b.kl, 1],
  ];
  const known = pairs.filter(([, x, y]) => x !== undefined && y !== undefined);
  const figures = known.map(([name, x, y, digits]) => `${name} ${number(x, digits)} (${number(y, digits)})`);
  return `Beside it, with ${control} in brackets: ${figures.join(', ')}.`;
}

/** Whether a row of a table by k is of a k whose base did not meet its gate. */
export function belowGate({ gate }: ReportData, by: string, group: string): GateResult | undefined {
  return by === 'k' ? gate?.find(({ k, met }) => !met && String(k) === group) : undefined;
}
