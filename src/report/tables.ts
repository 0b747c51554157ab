import type { Difference, Estimate } from '../evaluation/estimate.js';
import type { ArmResult, Change, Comparison, GateResult, ReportData, Scores, SftResult, Trial } from './data.js';
import { count, duration, interval, number, signed } from './format.js';
import { type Child, type Html, html } from './html.js';
import { belowGate } from './verdict.js';

/** A column's heading; plain numbers stand at the right of their column. */
type Head = string | { number: string };

interface Row {
  /** The first one is the row's heading. */
  cells: readonly Child[];
  mark?: string;
}

/** A table that scrolls by itself where the screen is narrow. */
function table(label: string, heads: readonly Head[], rows: readonly Row[]): Html {
  return frame(
    label,
    heads,
    html`<tbody>${rows.map((row) => html`<tr${classOf(row.mark)}>${cellsOf(row, heads)}</tr>`)}</tbody>`,
  );
}

/** The same with rows in groups; each group has a heading in the first column. */
function groupedTable(
  label: string,
  heads: readonly Head[],
  groups: readonly { name: Child; rows: readonly Row[]; mark?: string | undefined }[],
): Html {
  const bodies = groups.map(
    ({ name, rows, mark }) =>
      html`<tbody${classOf(mark)}>${rows.map(
        (row, i) =>
          html`<tr${classOf(row.mark)}>${i === 0 && html`<th scope="rowgroup" rowspan="${rows.length}">${name}</th>`}${cellsOf(row, heads.slice(1))}</tr>`,
      )}</tbody>`,
  );
  return frame(label, heads, html`${bodies}`, 'grouped');
}

function frame(label: string, heads: readonly Head[], bodies: Html, mark?: string): Html {
  const head = (name: Head): Html =>
    typeof name === 'string'
      ? html`<th scope="col">${name}</th>`
      : html`<th scope="col" class="number">${name.number}</th>`;
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table${classOf(mark)}>
<thead><tr>${heads.map(head)}</tr></thead>
${bodies}
</table></div>`;
}

function cellsOf({ cells: [first, ...rest] }: Row, heads: readonly Head[]): Html {
  const cell = (content: Child, i: number): Html =>
    html`<td${classOf(typeof heads[i + 1] === 'string' ? undefined : 'number')}>${content}</td>`;
  return html`<th scope="row">${first}</th>${rest.map(cell)}`;
}

function classOf(name: string | undefined): Html | false {
  return name !== undefined && html` class="${name}"`;
}

function estimate(value: Estimate | undefined): Child {
  if (value === undefined) return '–';
  return html`<span class="value">${number(value.value)}</span> <span class="interval">${interval(value)}</span>`;
}

/** An interval on a scale of [low, high]. `zero` draws the line that differences are judged by. */
function whisker(value: Estimate, [low, high]: readonly [number, number], label: string, zero = false): Html {
  const x = (at: number): string => (4 + (152 * (Math.max(low, Math.min(high, at)) - low)) / (high - low)).toFixed(1);
  return html`<svg class="whisker" viewBox="0 0 160 16" role="img" aria-label="${label}"><line class="rail" x1="4" x2="156" y1="8" y2="8"/>${zero && html`<line class="zero" x1="${x(0)}" x2="${x(0)}" y1="0" y2="16"/>`}<line class="range" x1="${x(value.low)}" x2="${x(value.high)}" y1="8" y2="8"/>${Number.isFinite(value.value) && html`<circle cx="${x(value.value)}" cy="8" r="3.5"/>`}</svg>`;
}

/** All estimates on one scale with some air around them. */
function scaleOf(values: readonly Estimate[]): [number, number] {
  const [low, high] = [Math.min(...values.map((v) => v.low)), Math.max(...values.map((v) => v.high))];
  const air = 0.05 * (high - low || 1);
  return [low - air, high + air];
}

const scoreHeads: readonly Head[] = [
  'FS@1',
  '',
  'Functional',
  'Secure of valid',
  { number: 'Missing' },
  { number: 'Repeated' },
  { number: 'Length' },
  { number: 'KL' },
];

function scoreCells(scores: Scores, scale: readonly [number, number], name: string): Child[] {
  return [
    estimate(scores.fs1),
    whisker(scores.fs1, scale, `${name}: FS@1 ${number(scores.fs1.value)}, ${interval(scores.fs1)}`),
    estimate(scores.functional),
    estimate(scores.secureOfValid),
    number(scores.missing, 2),
    number(scores.repeated, 2),
    number(scores.length, 0),
    number(scores.kl, 1),
  ];
}

export function resultsTable(arms: readonly ArmResult[], primary: string | undefined): Html {
  const scale = scaleOf(arms.map(({ overall }) => overall.fs1));
  const several = arms.some(({ seeds }) => seeds > 1);
  return table(
    'Results by arm',
    ['Arm', ...scoreHeads],
    arms.map(({ name, seeds, overall }) => ({
      cells: [
        html`${name}${several && html` <span class="unit">${count(seeds, 'seed')}</span>`}`,
        ...scoreCells(overall, scale, name),
      ],
      ...(name === primary ? { mark: 'primary' } : {}),
    })),
  );
}

/** A table for each thing that the arms' groups go by, group after group. */
export function groupTables(data: ReportData): { by: string; table: Html }[] {
  const arms = data.arms ?? [];
  const all = arms.flatMap(({ name, groups = [] }) => groups.map((group) => ({ name, ...group })));
  return [...new Set(all.map(({ by }) => by))].map((by) => {
    const entries = all.filter((entry) => entry.by === by);
    const scale = scaleOf(entries.map(({ scores }) => scores.fs1));
    const groups = [...new Set(entries.map(({ group }) => group))].map((group) => {
      const below = belowGate(data, by, group) !== undefined;
      const label = by === 'k' ? `k = ${group}` : group;
      return {
        name: html`${label}${below && belowMark}`,
        mark: below ? 'muted' : undefined,
        rows: entries
          .filter((entry) => entry.group === group)
          .map(({ name, scores }) => ({ cells: [name, ...scoreCells(scores, scale, `${name}, ${label}`)] })),
      };
    });
    return { by, table: groupedTable(`Results by ${by}`, [by === 'k' ? 'Steps' : '', 'Arm', ...scoreHeads], groups) };
  });
}

const belowMark = html`<span class="below">below its gate, not used as evidence</span>`;

export function comparisonTable(comparisons: readonly Comparison[]): Html {
  const differences = comparisons.map(({ difference }) => difference);
  const [low, high] = scaleOf(differences);
  const scale = [Math.min(low, -0.02), Math.max(high, 0.02)] as const;
  return table(
    'Differences between arms',
    ['Difference', 'Measure', 'Value', '', 'Covers'],
    comparisons.map(({ arm, control, metric, difference }, i) => ({
      cells: [
        html`${arm} minus ${control}${i === 0 && html` <span class="unit">primary</span>`}`,
        metric,
        html`<span class="value">${signed(difference.value)}</span> <span class="interval">${interval(difference)}</span>`,
        whisker(
          difference,
          scale,
          `${arm} minus ${control}: ${signed(difference.value)} ${interval(difference)}`,
          true,
        ),
        coverage(difference),
      ],
    })),
  );
}

function coverage({ n, seeds, covers }: Difference): string {
  return covers === 'prompts' ? `${count(n, 'prompt')}, one seed` : `${count(n, 'prompt')}, ${count(seeds, 'seed')}`;
}

export function sftTable({ detection, repair, functional }: SftResult): Html {
  const rows: [string, Change | undefined][] = [
    ['Detection, balanced accuracy', detection],
    ['Repair, executed', repair],
    ['Generation, functional', functional],
  ];
  return table(
    'Supervised fine-tuning, before and after',
    ['Skill', 'Before', 'After', { number: 'Measured on' }],
    rows.flatMap(([name, change]) =>
      change === undefined
        ? []
        : [{ cells: [name, estimate(change.before), estimate(change.after), String(change.after.n)] }],
    ),
  );
}

export function gateTable(gate: readonly GateResult[]): Html {
  return table(
    'The gate of the base model',
    ['Steps', 'Functional', { number: 'at least' }, 'Secure of valid', 'within', { number: 'Prompts' }, 'Gate'],
    gate.map(({ k, functional, secureOfValid, atLeast, secureWithin, met }) => ({
      cells: [
        k === 'all' ? 'all' : `k = ${k}`,
        estimate(functional),
        number(atLeast, 2),
        estimate(secureOfValid),
        secureWithin === undefined ? '–' : secureWithin.map((end) => number(end, 2)).join(' – '),
        String(functional.n),
        met ? 'met' : belowMark,
      ],
    })),
  );
}

export function creditTable(rows: readonly { name: string; value: Estimate }[]): Html {
  return table(
    'Credit',
    ['', 'Share', '', { number: 'Of' }],
    rows.map(({ name, value }) => ({
      cells: [
        name,
        estimate(value),
        whisker(value, [0, 1], `${name}: ${number(value.value)} ${interval(value)}`),
        String(value.n),
      ],
    })),
  );
}

export function trialsTable(trials: readonly Trial[]): Html {
  const groups = [...new Set(trials.map(({ arm }) => arm))].map((arm) => ({
    name: arm,
    rows: trials
      .filter((trial) => trial.arm === arm)
      .map(({ settings, fs1, chosen }) => ({
        cells: [
          html`<code>${Object.entries(settings).map(([name, value], i) => `${i > 0 ? ', ' : ''}${name} ${value}`)}</code>`,
          estimate(fs1),
          chosen ? html`<b>chosen</b>` : '',
        ],
        ...(chosen ? { mark: 'primary' } : {}),
      })),
  }));
  return groupedTable('Tuning trials', ['Arm', 'Settings', 'FS@1 on validation', ''], groups);
}

export function phasesTable(phases: readonly { name: string; seconds: number }[]): Html {
  const total = phases.reduce((sum, { seconds }) => sum + seconds, 0);
  const bar = (seconds: number): Html =>
    html`<svg class="whisker" viewBox="0 0 160 16" aria-hidden="true"><rect x="0" y="4" width="${((160 * seconds) / (total || 1)).toFixed(1)}" height="8"/></svg>`;
  const rows = phases.map(({ name, seconds }) => ({ cells: [name, duration(seconds), bar(seconds)] }));
  return table(
    'Time of each phase',
    ['Phase', { number: 'Time' }, ''],
    [...rows, { cells: ['In all', duration(total), ''], mark: 'total' }],
  );
}
