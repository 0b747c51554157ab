import type { Difference, Estimate } from '../evaluation/estimate.js';
import type { ArmResult, Change, Comparison, GateResult, ReportData, Scores, SftResult, Trial } from './data.js';
import { count, duration, interval, number, signed } from './format.js';
import { type Child, type Html, html } from './html.js';
import { belowGate } from './verdict.js';

/** A table that scrolls by itself where the screen is narrow. The first cell of a row is its heading. */
function table(
  label: string,
  heads: readonly Child[],
  rows: readonly { cells: readonly Child[]; mark?: string }[],
  grouped = false,
): Html {
  return html`<div class="scroll" role="region" tabindex="0" aria-label="${label}"><table${grouped && html` class="grouped"`}>
<thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
<tbody>${rows.map(
    ({ cells: [first, ...rest], mark }) =>
      html`<tr${mark !== undefined && html` class="${mark}"`}><th scope="row">${first}</th>${rest.map((cell) => html`<td>${cell}</td>`)}</tr>`,
  )}</tbody>
</table></div>`;
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

const scoreHeads = ['FS@1', '', 'Functional', 'Secure of valid', 'Missing', 'Repeated', 'Length', 'KL'] as const;

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
    const rows = [...new Set(entries.map(({ group }) => group))].flatMap((group) =>
      entries
        .filter((entry) => entry.group === group)
        .map(({ name, scores }, i) => {
          const below = belowGate(data, by, group) !== undefined;
          const label = i === 0 && html`<span class="group">${by === 'k' ? `k = ${group}` : group}</span>`;
          const mark = i === 0 && below && html`<span class="below">below its gate, not used as evidence</span>`;
          return {
            cells: [name, html`${label}${mark}`, ...scoreCells(scores, scale, `${name}, ${by} ${group}`)],
            mark: `${i === 0 ? 'first' : ''}${below ? ' muted' : ''}`,
          };
        }),
    );
    // The group's name stands before the arm's, in a cell of its own.
    const swapped = rows.map(({ cells: [name, group, ...rest], mark }) => ({ cells: [group, name, ...rest], mark }));
    return { by, table: table(`Results by ${by}`, [by === 'k' ? 'Steps' : '', 'Arm', ...scoreHeads], swapped, true) };
  });
}

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
    ['Skill', 'Before', 'After', 'Measured on'],
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
    ['Steps', 'Functional', 'at least', 'Secure of valid', 'within', 'Prompts', 'Gate'],
    gate.map(({ k, functional, secureOfValid, atLeast, secureWithin: [low, high], met }) => ({
      cells: [
        `k = ${k}`,
        estimate(functional),
        number(atLeast, 2),
        estimate(secureOfValid),
        `${number(low, 2)} – ${number(high, 2)}`,
        String(functional.n),
        met ? 'met' : html`<span class="below">below its gate, not used as evidence</span>`,
      ],
    })),
  );
}

export function creditTable(rows: readonly { name: string; value: Estimate }[]): Html {
  return table(
    'Credit',
    ['', 'Share', '', 'Of'],
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
  return table(
    'Tuning trials',
    ['Arm', 'Settings', 'FS@1 on validation', 'Chosen'],
    trials.map(({ arm, settings, fs1, chosen }, i) => ({
      cells: [
        arm,
        html`<code>${Object.entries(settings).map(([name, value], i) => `${i > 0 ? ', ' : ''}${name} ${value}`)}</code>`,
        estimate(fs1),
        chosen ? html`<b>chosen</b>` : '',
      ],
      mark: i === 0 || trials[i - 1]?.arm !== arm ? 'first' : '',
    })),
    true,
  );
}

export function phasesTable(phases: readonly { name: string; seconds: number }[]): Html {
  const total = phases.reduce((sum, { seconds }) => sum + seconds, 0);
  const bar = (seconds: number): Html =>
    html`<svg class="whisker" viewBox="0 0 160 16" aria-hidden="true"><rect x="0" y="4" width="${((160 * seconds) / (total || 1)).toFixed(1)}" height="8"/></svg>`;
  const rows = phases.map(({ name, seconds }) => ({ cells: [name, duration(seconds), bar(seconds)] }));
  return table(
    'Time of each phase',
    ['Phase', 'Time', ''],
    [...rows, { cells: ['In all', duration(total), ''], mark: 'total' }],
  );
}
