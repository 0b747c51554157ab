import { number } from './format.js';
import { type Html, html } from './html.js';

export interface Series {
  name: string;
  /** Which of the palette's colours and dashes it has. */
  index: number;
  /** One line a training seed: [step, value], steps ascending. */
  runs: readonly (readonly [number, number])[][];
}

const size = { width: 340, height: 190, left: 40, right: 8, top: 8, bottom: 24 };

/** A chart of values by step: a line for each run, and their mean in bold where there are several. */
export function lineChart(title: string, unit: string | undefined, series: readonly Series[]): Html {
  const points = series.flatMap(({ runs }) => runs.flat());
  const x = { low: Math.min(...points.map(([step]) => step)), high: Math.max(...points.map(([step]) => step)) };
  const values = points.map(([, value]) => value);
  const y = ticks(Math.min(0, ...values), Math.max(0, ...values));
  const [bottom, top] = [y[0] as number, y.at(-1) as number];
  const px = (step: number): number =>
    size.left + ((step - x.low) / (x.high - x.low || 1)) * (size.width - size.left - size.right);
  const py = (value: number): number =>
    size.height - size.bottom - ((value - bottom) / (top - bottom)) * (size.height - size.top - size.bottom);
  const path = (run: readonly (readonly [number, number])[]): string =>
    run.map(([step, value], i) => `${i === 0 ? 'M' : 'L'}${round(px(step))} ${round(py(value))}`).join('');
  const digits = decimals(y);
  const steps = [...new Set([x.low, Math.round((x.low + x.high) / 2), x.high])];
  const last = series.map(({ name, index, runs }) => {
    const ends = runs.flatMap((run) => run.at(-1)?.[1] ?? []);
    return { name, index, value: ends.reduce((sum, value) => sum + value, 0) / ends.length };
  });
  const spoken = last.map(({ name, value }) => `${name} ${short(value)}`).join(', ');
  return html`<figure class="chart">
<figcaption>${title}${unit === undefined ? '' : html` <span class="unit">${unit}</span>`}</figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-label="${title}, from step ${x.low} to ${x.high}. At the end: ${spoken}.">
${y.map(
  (value) =>
    html`<line class="${value === 0 ? 'axis' : 'grid'}" x1="${size.left}" x2="${size.width - size.right}" y1="${round(py(value))}" y2="${round(py(value))}"/><text x="${size.left - 6}" y="${round(py(value) + 3.5)}" text-anchor="end">${number(value, digits)}</text>`,
)}
${steps.map((step, i) => html`<text x="${round(px(step))}" y="${size.height - 7}" text-anchor="${['start', i === steps.length - 1 ? 'end' : 'middle', 'end'][i]}">${step}</text>`)}
${series.map(({ index, runs }) => {
  const several = runs.length > 1;
  return html`<g class="series s${index}">${runs.map((run) => html`<path class="${several ? 'one' : 'mean'}" d="${path(run)}"/>`)}${several && html`<path class="mean" d="${path(mean(runs))}"/>`}</g>`;
})}
</svg>
<p class="ends">${last.map(({ name, index, value }) => html`<span class="s${index}"><span class="name">${name}</span> ${short(value)}</span> `)}</p>
</figure>`;
}

/** Over the runs that have the step. */
function mean(runs: Series['runs']): [number, number][] {
  const at = new Map<number, number[]>();
  for (const [step, value] of runs.flat()) at.set(step, [...(at.get(step) ?? []), value]);
  return [...at]
    .sort(([a], [b]) => a - b)
    .map(([step, values]) => [step, values.reduce((sum, value) => sum + value, 0) / values.length]);
}

/** About four round numbers that enclose [low, high]. */
export function ticks(low: number, high: number): number[] {
  const span = high - low || 1;
  const rough = span / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

function decimals(values: readonly number[]): number {
  return (
    [0, 1, 2, 3].find((digits) => values.every((value) => Math.abs(value - Number(value.toFixed(digits))) < 1e-9)) ?? 4
  );
}

function short(value: number): string {
  return number(value, Math.abs(value) < 10 ? 3 : 1);
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
