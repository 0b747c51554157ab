import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { reportAssets } from '../assets.js';
import { makeFolder } from '../files.js';
import { writeDurably } from '../run/durable.js';
import { defaultCharts } from './charts.js';
import type { Curve, ReportData, Setup } from './data.js';
import { count, duration, interval, number } from './format.js';
import { heatMap } from './heat-map.js';
import { type Html, html, raw } from './html.js';
import { lineChart, type Series } from './line-chart.js';
import {
  comparisonTable,
  creditTable,
  gateTable,
  groupTables,
  phasesTable,
  resultsTable,
  sftTable,
  trialsTable,
} from './tables.js';
import { beside, headline, verdict } from './verdict.js';

/**
 * Writes `report.html` into `folder` and returns its path. The file needs nothing but a browser: no network, and no script to be read.
 * @throws ERR_IO when it cannot be written; ERR_INVALID_ARG when the data contradict themselves.
 */
export function writeReport(folder: string, data: ReportData): string {
  const file = join(folder, 'report.html');
  makeFolder(folder);
  writeDurably(file, renderReport(data));
  return file;
}

interface Section {
  id: string;
  title: string;
  body: Html | undefined;
}

/** The page as text. */
export function renderReport(data: ReportData): string {
  const style = readFileSync(join(reportAssets, 'report.css'), 'utf8');
  const script = readFileSync(join(reportAssets, 'report.js'), 'utf8');
  // Should an escape ever be missed, the page still runs no other script and asks nobody for anything.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'; base-uri 'none'; form-action 'none'`;
  const sections = sectionsOf(data).filter(({ body }) => body !== undefined);
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${data.title}</title>
<style>${raw(style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the results</a>
<header>
<fieldset class="choice theme"><legend class="hidden">Colours</legend>
<label><input type="radio" name="theme" id="theme-system" checked><span>System</span></label>
<label><input type="radio" name="theme" id="theme-light"><span>Light</span></label>
<label><input type="radio" name="theme" id="theme-dark"><span>Dark</span></label>
</fieldset>
<h1>${data.title}</h1>
${data.about !== undefined && html`<p class="about">${data.about}</p>`}
${summary(data)}
</header>
<nav aria-label="Contents"><ol>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ol></nav>
<main id="main" tabindex="-1">
${sections.map(({ id, title, body }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>${body}</section>`)}
</main>
<script>${raw(script)}</script>
</body>
</html>
`;
  return page.markup;
}

function summary({ comparisons, arms }: ReportData): Html | false {
  const primary = comparisons?.[0];
  if (primary === undefined) return false;
  const other = beside(primary, arms ?? []);
  return html`<div class="verdict">
<p class="headline">${headline(primary)}</p>
<p>${verdict(primary)} ${count(primary.difference.n, 'prompt')}, paired; 95 % interval.</p>
${other !== undefined && html`<p class="beside-gain">${other}</p>`}
</div>`;
}

function sectionsOf(data: ReportData): Section[] {
  const groups = groupTables(data);
  return [
    { id: 'results', title: 'Results', body: results(data) },
    ...groups.map(({ by, table }, i) => ({ id: `by-group-${i}`, title: `Results by ${by}`, body: table })),
    { id: 'samples', title: 'Where the reward falls', body: samples(data) },
    { id: 'curves', title: 'Learning curves', body: curves(data) },
    { id: 'credit', title: 'Is the credit earned?', body: credit(data) },
    { id: 'preparation', title: 'Before reinforcement learning', body: preparation(data) },
    { id: 'trials', title: 'Tuning trials', body: trials(data) },
    { id: 'setup', title: 'How it was made', body: data.setup && setup(data.setup, data.command) },
    { id: 'limits', title: 'What this does not show', body: limits(data) },
  ];
}

function results({ arms, comparisons }: ReportData): Html | undefined {
  if (!some(arms)) return undefined;
  return html`${resultsTable(arms, comparisons?.[0]?.arm)}
<p class="note"><b>FS@1</b>: share of test prompts whose answer passes its functional tests and withstands every attack, by execution. <b>Functional</b>: passes its functional tests.
<b>Secure of valid</b>: of the functional answers, those that withstand; high for a model that writes little that works, so never read it alone. <b>Missing</b>: steps of the task that an answer leaves out. <b>Repeated</b>: guards that repeat another one.
<b>Length</b> in tokens. <b>KL</b> from the reference policy in nats. The last four are means an answer. Brackets hold 95 % intervals.</p>
${some(comparisons) ? html`<h3>Differences</h3>${comparisonTable(comparisons)}` : ''}
${
  arms.some(({ about }) => about !== undefined) &&
  html`<h3>The arms</h3><dl class="arms">${arms.map(({ name, about }) => about !== undefined && html`<dt>${name}</dt><dd>${about}</dd>`)}</dl>`
}`;
}

function samples({ samples }: ReportData): Html | undefined {
  if (!some(samples)) return undefined;
  return html`<p class="lead">Programs that the policies sampled. Each token is coloured by a quantity of its own; tokens that the teacher credits as security are underlined.</p>${heatMap(samples)}`;
}

function curves({ curves = [], charts = defaultCharts, arms = [] }: ReportData): Html | undefined {
  // Colours follow the order of the table, so that an arm keeps its colour from run to run.
  const order = arms.map(({ name }) => name);
  const names = [...new Set(curves.map(({ arm }) => arm))].sort((a, b) => rank(order, a) - rank(order, b));
  const figures = charts.flatMap(({ path, title, unit }) => {
    const series: Series[] = names.flatMap((name, index) => {
      const runs = curves.filter(({ arm }) => arm === name).map((curve) => pointsOf(curve, path));
      const drawn = runs.filter((run) => run.length > 0);
      return drawn.length === 0 ? [] : [{ name, index: index % 6, runs: drawn }];
    });
    return series.length === 0 ? [] : [lineChart(title, unit, series)];
  });
  if (figures.length === 0) return undefined;
  const several = names.some((name) => curves.filter(({ arm }) => arm === name).length > 1);
  return html`<p class="lead">Measured on the rollouts of each iteration, which are the training data: noisier than the table, and from training prompts.${several && ' Thin lines are single seeds, bold ones their mean.'}</p>
<ul class="key">${names.map((name, index) => html`<li class="s${index % 6}"><svg viewBox="0 0 28 8" aria-hidden="true"><g class="series s${index % 6}"><path class="mean" d="M0 4H28"/></g></svg>${name}</li>`)}</ul>
<div class="charts">${figures}</div>`;
}

function rank(order: readonly string[], name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

function pointsOf({ rows }: Curve, path: string): [number, number][] {
  return rows.flatMap((row): [number, number][] => {
    const value = row[path];
    return Number.isFinite(value) ? [[row.step, value as number]] : [];
  });
}

function credit({ credit }: ReportData): Html | undefined {
  if (credit === undefined) return undefined;
  const { causalPrecision, byKind = [], agreement } = credit;
  const rows = [
    ...(causalPrecision === undefined ? [] : [{ name: 'Causal precision', value: causalPrecision }]),
    ...byKind.map(({ kind, precision }) => ({ name: `of kind ${kind}`, value: precision })),
    ...(agreement === undefined ? [] : [{ name: 'Teacher and execution agree', value: agreement }]),
  ];
  if (rows.length === 0) return undefined;
  return html`<p class="lead">A token is paid for security only if it provides it. Credited spans were mutated one at a time (a guard deleted, an operator weakened, a safe call swapped back) and the attacks run again: <i>causal precision</i> is the share of mutations after which an attack succeeds. <i>Agreement</i> is the share of functional answers that the teacher and execution judge alike.</p>
${creditTable(rows)}`;
}

function preparation({ gate, sft, rewardModel }: ReportData): Html | undefined {
  if (!some(gate) && sft === undefined && rewardModel === undefined) return undefined;
  return html`${
    some(gate) &&
    html`<h3>The base model</h3><p class="lead">It must write working code, secure and insecure, before rewards can choose between the two: a k that fails this gate is shown, but is no evidence.</p>${gateTable(gate)}`
  }
${
  sft !== undefined &&
  html`<h3>Supervised fine-tuning</h3>${sft.method !== undefined && html`<p class="lead">Method: ${sft.method}.</p>`}${sftTable(sft)}`
}
${
  rewardModel !== undefined &&
  html`<h3>Reward model</h3><p class="lead">Of ${count(rewardModel.accuracy.n, 'held-out pair')} it ranks ${number(rewardModel.accuracy.value)} ${interval(rewardModel.accuracy)} as it should${
    rewardModel.broken !== undefined &&
    html`; of the ${rewardModel.broken.n} whose rejected answer is broken code, ${number(rewardModel.broken.value)} ${interval(rewardModel.broken)}`
  }.</p>`
}`;
}

function trials({ trials }: ReportData): Html | undefined {
  if (!some(trials)) return undefined;
  const each = [...new Set(trials.map(({ arm }) => arm))].map(
    (arm) => trials.filter((trial) => trial.arm === arm).length,
  );
  const budget =
    new Set(each).size === 1
      ? `Each arm had ${count(each[0] ?? 0, 'trial')}`
      : 'The arms had unequal numbers of trials';
  return html`<p class="lead">${budget}, scored on validation prompts.</p>${trialsTable(trials)}`;
}

function setup({ made, profile, machine, versions, config, phases }: Setup, command: string | undefined): Html {
  const facts: [string, string | undefined][] = [
    ['Made', made],
    ['Profile', profile],
    ...Object.entries(machine ?? {}),
    ...Object.entries(versions ?? {}),
  ];
  const total = (phases ?? []).reduce((sum, { seconds }) => sum + seconds, 0);
  return html`${command !== undefined && html`<p>To make it again: <code>${command}</code></p>`}
<dl class="facts">${facts.map(([name, value]) => value !== undefined && html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
${some(phases) && html`<h3>Time: ${duration(total)}</h3>${phasesTable(phases)}`}
${config !== undefined && html`<details><summary>Configuration</summary><pre class="config">${stringify(config)}</pre></details>`}`;
}

function limits({ limits }: ReportData): Html | undefined {
  if (!some(limits)) return undefined;
  return html`<ul class="limits">${limits.map((limit) => html`<li>${limit}</li>`)}</ul>`;
}

function some<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}
