import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeReport } from '../../src/report/report.js';
import { chrome, Page } from '../support/browser.js';
import { reportData } from '../support/report-data.js';

// What the report looks like is asked of a real browser: without one ($CHROME, or Debian's package chromium) these tests are skipped.

/** Functions for the page: computed colours as [r, g, b, alpha] of 0 … 255, and WCAG's contrast of a text with what it stands on. */
const colours = `
const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
const seen = new Map();
const rgb = (css) => {
  if (!seen.has(css)) {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    seen.set(css, [...context.getImageData(0, 0, 1, 1).data]);
  }
  return seen.get(css);
};
const luminance = (css) => rgb(css).slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  for (let at = element; at !== null; at = at.parentElement) {
    const background = getComputedStyle(at).backgroundColor;
    if (rgb(background)[3] === 255) return background;
  }
  return 'Canvas';
};
const contrast = (element) => {
  const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
};
`;
const inPage = (body: string): string => `(() => { ${colours} ${body} })()`;

const background = 'getComputedStyle(document.body).backgroundColor';
const focused = `document.activeElement?.textContent ?? ''`;

const none = chrome === undefined ? ' (skipped: neither $CHROME nor the package chromium)' : '';

describe.skipIf(chrome === undefined)(`the report in a browser${none}`, () => {
  let folder: string;
  let url: string;
  let page: Page;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'srcode-report-'));
    url = pathToFileURL(writeReport(folder, reportData)).href;
    page = await Page.open(chrome as string);
    await page.resize(1280, 900);
    await page.goto(url);
  });

  afterAll(async () => {
    await page?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  test('is drawn', async () => {
    const boxes = await page.evaluate<number[]>(
      `[...document.querySelectorAll('.chart .mean')].map((path) => path.getBoundingClientRect().width)`,
    );
    // Eight charts of three arms.
    expect(boxes).toHaveLength(24);
    expect(Math.min(...boxes)).toBeGreaterThan(150);
    const whiskers = await page.evaluate<number[]>(
      `[...document.querySelectorAll('#results .whisker .range')].map((line) => line.getBoundingClientRect().width)`,
    );
    expect(whiskers.length).toBeGreaterThan(5);
    expect(Math.min(...whiskers)).toBeGreaterThan(5);
  });

  test('asks nobody for anything, complains of nothing, and runs nothing that a model wrote', async () => {
    expect(new Set(page.requests)).toEqual(new Set([url]));
    expect(page.complaints).toEqual([]);
    expect(await page.evaluate('document.title')).toBe(reportData.title);
    expect(await page.evaluate('document.querySelectorAll("img, iframe, script:not(body > script)").length')).toBe(0);
    // The hostile sample is all there, as text.
    const text = await page.evaluate<string>(`document.getElementById('sample-3').querySelector('.code').textContent`);
    expect(text).toContain('</pre><script>');
    expect(text).toContain('\\u{202e}');
  });

  test('colours tokens by the quantity that is chosen', async () => {
    const tokens = `[...document.querySelectorAll('#sample-0 .t')].map((token) => getComputedStyle(token).backgroundColor)`;
    const shown: string[][] = [];
    for (const quantity of ['r', 'a', 'w']) {
      await page.evaluate(`document.getElementById('by-${quantity}').click()`);
      shown.push(await page.evaluate<string[]>(tokens));
      const legends = `[...document.querySelectorAll('.legend')].filter((legend) => legend.checkVisibility()).map((legend) => legend.className)`;
      expect(await page.evaluate(legends)).toEqual([`legend by-${quantity}`]);
    }
    for (const colours of shown) expect(new Set(colours).size).toBeGreaterThan(5);
    const [reward, advantage, weight] = shown.map((colours) => colours.join());
    expect(new Set([reward, advantage, weight]).size).toBe(3);
    // A credited token is bluish, one that only costs KL is not.
    await page.evaluate(`document.getElementById('by-r').click()`);
    const bluish = `const [r, , b] = rgb(getComputedStyle(token).backgroundColor); return b > r;`;
    expect(await page.evaluate(inPage(`const token = document.querySelector('#sample-0 .T'); ${bluish}`))).toBe(true);
    expect(await page.evaluate(inPage(`const token = document.querySelector('#sample-0 .t:not(.T)'); ${bluish}`))).toBe(
      false,
    );
  });

  test('follows the system between light and dark, and the switch', async () => {
    await page.prefer('light');
    const light = await page.evaluate<string>(background);
    await page.prefer('dark');
    const dark = await page.evaluate<string>(background);
    expect(await page.evaluate(inPage(`return [luminance('${light}') > 0.8, luminance('${dark}') < 0.05]`))).toEqual([
      true,
      true,
    ]);
    await page.evaluate(`document.getElementById('theme-light').click()`);
    expect(await page.evaluate(background)).toBe(light);
    await page.prefer('light');
    await page.evaluate(`document.getElementById('theme-dark').click()`);
    expect(await page.evaluate(background)).toBe(dark);
    await page.evaluate(`document.getElementById('theme-system').click()`);
  });

  test.each(['light', 'dark'] as const)('all text can be read in %s', async (scheme) => {
    await page.prefer(scheme);
    for (const quantity of ['r', 'a', 'w']) {
      await page.evaluate(`document.getElementById('by-${quantity}').click()`);
      const faint = await page.evaluate<string[]>(
        inPage(`
          for (const details of document.querySelectorAll('details')) details.open = true;
          const own = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
          return [...document.querySelectorAll('body *')]
            .filter((element) => element instanceof HTMLElement && element.checkVisibility() && !element.closest('script, :disabled') && own(element))
            .filter((element) => contrast(element) < 4.5)
            .map((element) => element.className + ': ' + element.textContent.slice(0, 40) + ' ' + contrast(element).toFixed(2));`),
      );
      expect(faint).toEqual([]);
    }
    await page.evaluate(`document.getElementById('by-r').click()`);
    await page.prefer('light');
  });

  test('the keyboard reaches every control, walks the tokens and chooses the quantity', async () => {
    await page.goto(url);
    // From the top with Tab alone, to the choice of quantity.
    const reached: string[] = [];
    while (reached.at(-1) !== 'by-r' && reached.length < 60) {
      await page.press('Tab');
      reached.push(await page.evaluate<string>(`document.activeElement.id || document.activeElement.className`));
    }
    expect(reached[0]).toBe('skip');
    expect(reached).toContain('theme-system');
    expect(reached.at(-1)).toBe('by-r');
    await page.press('ArrowRight');
    expect(await page.evaluate(`document.getElementById('by-a').checked`)).toBe(true);

    // Past the stepper ("Previous" is disabled at the first sample) into the program.
    const stops: string[] = [];
    for (let i = 0; i < 3; i++) {
      await page.press('Tab');
      stops.push(await page.evaluate<string>(`document.activeElement.id || document.activeElement.className`));
    }
    expect(stops.slice(0, 2)).toEqual(['sample', 'next']);
    expect(stops[2]).toMatch(/^t\b/);
    const tokens = reportData.samples?.[0]?.tokens ?? [];
    expect(await page.evaluate(focused)).toBe(tokens[0]);
    expect(await page.evaluate(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid');

    await page.press('ArrowRight');
    expect(await page.evaluate(focused)).toBe(tokens[1]);
    const numbers = await page.evaluate<string>(`document.querySelector('#sample-0 .numbers').textContent`);
    for (const word of ['Reward', 'Advantage', 'Gradient weight', 'KL']) expect(numbers).toContain(word);
    await page.press('ArrowDown');
    const at = `[...document.querySelectorAll('#sample-0 .t')].indexOf(document.activeElement)`;
    expect(await page.evaluate<number>(at)).toBeGreaterThan(5);
    await page.press('ArrowUp');
    expect(await page.evaluate<number>(at)).toBeLessThan(4);
    await page.press('End');
    expect(await page.evaluate(focused)).toBe('<|endoftext|>');
    await page.press('Home');
    expect(await page.evaluate(focused)).toBe(tokens[0]);

    // Back to the stepper, and on to the next sample.
    await page.press('Tab', { shift: true });
    await page.press('Enter');
    const visible = `[...document.querySelectorAll('.sample')].filter((figure) => figure.checkVisibility()).map((figure) => figure.id)`;
    expect(await page.evaluate(visible)).toEqual(['sample-1']);
    expect(page.complaints).toEqual([]);
  });

  test('every control and picture has a name', async () => {
    const nameless = await page.evaluate<string[]>(`
      [...document.querySelectorAll('input, select, button, svg:not([aria-hidden]), [role=region]')]
        .filter((element) => !element.getAttribute('aria-label') && !element.labels?.[0]?.textContent.trim() && !element.textContent.trim())
        .map((element) => element.outerHTML.slice(0, 80))`);
    expect(nameless).toEqual([]);
  });

  test('a narrow screen scrolls in one direction only', async () => {
    await page.resize(360, 740);
    const { wide, inner } = await page.evaluate<{ wide: number; inner: number }>(
      `({ wide: document.documentElement.scrollWidth, inner: innerWidth })`,
    );
    expect(inner).toBe(360);
    expect(wide).toBeLessThanOrEqual(360);
    await page.resize(1280, 900);
  });

  test('without scripts everything is there to be read', async () => {
    await page.send('Emulation.setScriptExecutionDisabled', { value: true });
    await page.goto(url);
    const shown = `[...document.querySelectorAll('.sample')].filter((figure) => figure.checkVisibility()).length`;
    expect(await page.evaluate(shown)).toBe(reportData.samples?.length);
    expect(await page.evaluate(`document.querySelector('.stepper').checkVisibility()`)).toBe(false);
    // The choice of quantity is CSS.
    const colour = `getComputedStyle(document.querySelector('#sample-0 .T')).backgroundColor`;
    const reward = await page.evaluate(colour);
    await page.evaluate(`document.getElementById('by-w').click()`);
    expect(await page.evaluate(colour)).not.toBe(reward);
    await page.send('Emulation.setScriptExecutionDisabled', { value: false });
  });
});
