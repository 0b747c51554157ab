import type { Estimate } from '../evaluation/estimate.js';
import { paintOf } from '../terminal.js';
import type { ReportData } from './data.js';
import { interval, number } from './format.js';
import { belowGate, headline, verdict } from './verdict.js';

interface Column {
  title: string;
  cell: (scores: NonNullable<ReportData['arms']>[number]['overall']) => string;
}

const columns: readonly Column[] = [
  { title: 'FS@1', cell: ({ fs1 }) => estimate(fs1) },
  { title: 'functional', cell: ({ functional }) => estimate(functional) },
  { title: 'secure of valid', cell: ({ secureOfValid }) => estimate(secureOfValid) },
  { title: 'missing', cell: ({ missing }) => number(missing, 2) },
  { title: 'repeated', cell: ({ repeated }) => number(repeated, 2) },
  { title: 'length', cell: ({ length }) => number(length, 0) },
  { title: 'KL', cell: ({ kl }) => number(kl, 1) },
];

/**
 * The results as text for {@link printable}, one arm a line with 95 % intervals, then the verdict. Colours only where `colour` says so (a terminal without NO_COLOR).
 */
export function renderTable(
  data: ReportData,
  colour: boolean = process.stdout.isTTY === true && !process.env.NO_COLOR,
): string {
  const paint = paintOf(colour);
  const arms = data.arms ?? [];
  const primary = data.comparisons?.[0];
  if (arms.length === 0) return '';
  const lines = grid([
    ['', ...columns.map(({ title }) => title)],
    ...arms.map(({ name, overall }) => [name, ...columns.map(({ cell }) => cell(overall))]),
  ]);
  const painted = lines.map((line, i) => {
    if (i === 0) return paint.dim(line);
    return arms[i - 1]?.name === primary?.arm ? paint.bold(line) : line;
  });

  const groups = [...new Set(arms.flatMap((arm) => (arm.groups ?? []).map(({ by }) => by)))];
  const byGroup = groups.flatMap((by) => {
    const names = [
      ...new Set(arms.flatMap((arm) => (arm.groups ?? []).filter((g) => g.by === by).map((g) => g.group))),
    ];
    const scores = (arm: (typeof arms)[number], group: string): string => {
      const found = arm.groups?.find((g) => g.by === by && g.group === group);
      return found === undefined ? '–' : estimate(found.scores.fs1);
    };
    const heads = names.map((group) => `${group}${belowGate(data, by, group) === undefined ? '' : ' †'}`);
    const [head = '', ...rest] = grid([
      [`FS@1 by ${by}`, ...heads],
      ...arms.map((arm) => [arm.name, ...names.map((group) => scores(arm, group))]),
    ]);
    const marked = names.some((group) => belowGate(data, by, group) !== undefined);
    return ['', paint.dim(head), ...rest, ...(marked ? [paint.dim('† below its gate, not used as evidence')] : [])];
  });
  const said = primary === undefined ? [] : ['', paint.bold(headline(primary)), verdict(primary)];
  return [...painted, ...byGroup, ...said].join('\n');
}

function estimate(value: Estimate): string {
  return `${number(value.value)} ${interval(value)}`;
}

/** Pads the first column on the right and the others on the left. */
function grid(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
