import type { Estimate } from '../evaluation/estimate.js';

/** `0.415`, or `–` where nothing was measured (NaN, which JSON turns into null). */
export function number(value: number | null | undefined, digits = 3): string {
  return Number.isFinite(value) ? minus((value as number).toFixed(digits)) : '–';
}

/** `+0.080`, `−0.012`. */
export function signed(value: number, digits = 3): string {
  const text = number(value, digits);
  return value > 0 && Number(value.toFixed(digits)) !== 0 ? `+${text}` : text;
}

/** `[0.362, 0.470]`. */
export function interval({ low, high }: Estimate, show: (value: number) => string = number): string {
  return `[${show(low)}, ${show(high)}]`;
}

/** `48 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return whole < 120 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `1 seed`, `5 seeds`. */
export function count(n: number, one: string, many: string = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

// -0.000 is 0.000.
function minus(text: string): string {
  return /^-[0.]+$/.test(text) ? text.slice(1) : text.replace('-', '−');
}
