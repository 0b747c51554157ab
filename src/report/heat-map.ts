import { SrcodeError } from '../errors.js';
import type { SampleView } from './data.js';
import { number, signed } from './format.js';
import { type Html, html } from './html.js';

/** What tokens can be coloured by. `key` names the CSS variable and the data attribute that hold it. */
const quantities = [
  {
    key: 'r',
    of: 'reward',
    name: 'Reward',
    symbol: html`r<sub>t</sub>`,
    about:
      'What the token earned by itself: token-level bonus and penalty, KL, and at the last token the sequence terms.',
  },
  {
    key: 'a',
    of: 'advantage',
    name: 'Advantage',
    symbol: html`A<sub>t</sub>`,
    about: 'How much better than expected the rest of the answer went from here on; whitened over the batch.',
  },
  {
    key: 'w',
    of: 'weight',
    name: 'Gradient weight',
    symbol: html`|∂L/∂ log π<sub>t</sub>|`,
    about: "How hard the update pulls at the token's probability, whichever way.",
  },
] as const;
type Quantity = (typeof quantities)[number];

/** Bytes of markup that the samples may have: with the rest the report stays below 1.5 MB. */
const budget = 1_000_000;

/**
 * The token heat map. Colours and the choice of quantity are CSS alone; the script adds the numbers of the focused token, the arrow keys and
 * one sample at a time.
 * @throws ERR_INVALID_ARG when a sample's arrays differ in length.
 */
export function heatMap(samples: readonly SampleView[]): Html {
  for (const sample of samples) check(sample);
  const scales = quantities.map((quantity) => scale(samples.flatMap((sample) => sample[quantity.of])));
  const figures: Html[] = [];
  let bytes = 0;
  for (const [i, sample] of samples.entries()) {
    const figure = sampleFigure(sample, i, scales);
    bytes += Buffer.byteLength(figure.markup);
    if (bytes > budget) break;
    figures.push(figure);
  }
  const shown = samples.slice(0, figures.length);
  return html`<div class="heat" id="heat">
<div class="controls">
<fieldset class="choice"><legend>Colour by</legend>
${quantities.map(
  ({ key, name }, i) =>
    html`<label><input type="radio" name="quantity" id="by-${key}" value="${key}"${i === 0 && html` checked`}><span>${name}</span></label>`,
)}
</fieldset>
<div class="stepper" hidden>
<button type="button" id="previous">Previous</button>
<label><span class="hidden">Sample</span><select id="sample">${shown.map((sample, i) => html`<option value="${i}">${i + 1} of ${shown.length}: ${sampleName(sample)}</option>`)}</select></label>
<button type="button" id="next">Next</button>
</div>
</div>
${quantities.map((quantity, i) => legend(quantity, scales[i] as number))}
<p class="keys" hidden>Arrow keys go from token to token and line to line; Home and End to the first and the last one.</p>
${shown.length < samples.length && html`<p class="note">The first ${shown.length} of ${samples.length} samples; the others would make this file too large.</p>`}
${figures}
</div>`;
}

/** The magnitude at which colour saturates: nineteen of twenty non-zero values lie below it. */
function scale(values: readonly number[]): number {
  const sizes = values
    .map(Math.abs)
    .filter((size) => size > 0)
    .sort((a, b) => a - b);
  return sizes[Math.floor(0.95 * (sizes.length - 1))] ?? 1;
}

function legend({ key, symbol, about }: Quantity, top: number): Html {
  const shown = Number(top.toPrecision(2));
  const ends =
    key === 'w'
      ? ['0', number(shown, digits(shown))]
      : [signed(-shown, digits(shown)), '0', signed(shown, digits(shown))];
  return html`<div class="legend by-${key}"><div class="ramp" aria-hidden="true"></div><div class="ends">${ends.map((end, i) => html`<span>${i === 0 && key !== 'w' ? '≤ ' : i === ends.length - 1 ? '≥ ' : ''}${end}</span>`)}</div>
<p><b>${symbol}</b> ${about}</p></div>`;
}

function sampleFigure(sample: SampleView, index: number, scales: readonly number[]): Html {
  const state: [yes: string, no: string, holds: boolean | null | undefined][] = [
    ['compiles', 'does not compile', sample.compiled],
    ['functional', 'not functional', sample.functional],
    ['secure by the teacher', 'not secure by the teacher', sample.secureVerdict],
  ];
  return html`<figure class="sample" id="sample-${index}" aria-label="${sampleName(sample)}">
<figcaption><b>${sample.arm}</b> <span class="id">${sample.id}</span>${sample.step !== undefined && html` <span>iteration ${sample.step}</span>`}
<span class="state">${state.map(([yes, no, holds]) => typeof holds === 'boolean' && html`<span class="${holds ? 'yes' : 'no'}">${holds ? `✓ ${yes}` : `✗ ${no}`}</span>`)}</span></figcaption>
<div class="beside">
<pre class="code" aria-label="Sampled program, token by token">${sample.prefix !== undefined && sample.prefix !== '' && html`<span class="given">${sample.prefix}</span>`}${sample.tokens.map((text, t) => token(sample, text, t, scales))}</pre>
<div class="findings">
<output class="numbers" hidden></output>
${list('Findings', sample.findings)}
${list('Steps left out', sample.missing)}
<details><summary>Prompt</summary><pre>${sample.prompt}</pre></details>
</div>
</div>
</figure>`;
}

function token(sample: SampleView, text: string, t: number, scales: readonly number[]): Html {
  const at = quantities.map((quantity, i) => {
    const value = sample[quantity.of][t] as number;
    return { key: quantity.key, value, share: Math.max(-1, Math.min(1, value / (scales[i] as number))) };
  });
  const style = at
    .filter(({ share }) => Math.abs(share) >= 0.005)
    .map(({ key, share }) => `--${key}:${short(share, 2)}`);
  const data = at.map(({ value }) => short(value, 4)).join(' ');
  const parts = Object.entries(sample.parts ?? {}).map(([name, values]) => [name, values[t] as number] as const);
  const sum = parts
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${signed(value, digits(value))}`);
  const secure = sample.secure?.[t] === true;
  return html`<span class="t${secure ? ' T' : ''}${text.startsWith('\n') ? ' nl' : ''}"${style.length > 0 && html` style="${style.join(';')}"`} data-n="${data}"${sum.length > 0 && html` data-p="${sum.join(', ')}"`}>${text}</span>`;
}

function list(title: string, items: readonly string[] | undefined): Html | false {
  if (items === undefined) return false;
  return html`<h4>${title}</h4>${items.length === 0 ? html`<p class="none">None.</p>` : html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`}`;
}

function sampleName({ arm, id, step, functional, secureVerdict }: SampleView): string {
  const state = [
    ...(typeof functional === 'boolean' ? [functional ? 'functional' : 'not functional'] : []),
    ...(secureVerdict === undefined ? [] : [secureVerdict ? 'secure' : 'not secure']),
  ];
  return [`${arm}, ${id}`, ...(step === undefined ? [] : [`iteration ${step}`]), ...state].join(', ');
}

function check(sample: SampleView): void {
  const n = sample.tokens.length;
  const arrays = Object.entries({
    ...sample.parts,
    reward: sample.reward,
    advantage: sample.advantage,
    weight: sample.weight,
  });
  if (sample.secure !== undefined) arrays.push(['secure', sample.secure.map(Number)]);
  for (const [name, values] of arrays) {
    if (values.length === n) continue;
    throw new SrcodeError(
      'ERR_INVALID_ARG',
      `Sample ${sample.id} of ${sample.arm}: expected ${n} values of ${name}, one a token, received ${values.length}`,
    );
  }
}

// Enough to tell the number from 0.
function digits(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || size >= 0.1) return 2;
  return size >= 0.01 ? 3 : 4;
}

function short(value: number, places: number): string {
  return String(Number(value.toFixed(places)));
}
