import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { Counts } from '../../src/dataset/counts.js';
import { toExamples } from '../../src/dataset/examples.js';
import { loadPreferenceRows, loadSftRows } from '../../src/dataset/load.js';
import { readPrimeVulPairs } from '../../src/dataset/primevul.js';
import { holdBack } from '../../src/dataset/split.js';
import { Tokenizer } from '../../src/tokenizer/tokenizer.js';

// Real pairs lie beside the repository where the project is developed; elsewhere these tests say why they are skipped.
const data = (name: string) => fileURLToPath(new URL(`../../../shared/data/${name}`, import.meta.url));
const sven = data('sven/pairs.jsonl');
const train = data('primevul-format/primevul_train_paired.jsonl');
const valid = data('primevul-format/primevul_valid_paired.jsonl');
const missing = [sven, train, valid].find((path) => !existsSync(path));

describe.skipIf(missing)(missing ? `real data (skipped: no ${missing})` : 'real data', () => {
  test('SVEN: 345 pairs, one of them twice', async () => {
    const { rows, report } = await loadSftRows([sven]);
    expect(report).toMatchObject({
      rows: { detection: 688, repair: 344 },
      dropped: { 'pair seen before': 1 },
      warnings: {},
    });
    expect(rows.filter((row) => row.task === 'detection' && row.response === 'No')).toHaveLength(344);
    expect(rows.every((row) => row.response !== 'Yes')).toBe(true); // each pair has a CWE
  });

  test("PrimeVul's format: every row has its partner and every 128-bit hash is the text's", async () => {
    for (const [path, pairs] of [
      [train, 1296],
      [valid, 147],
    ] as const) {
      const [dropped, warnings] = [new Counts(), new Counts()];
      expect(await readPrimeVulPairs(path, { dropped, warnings })).toHaveLength(pairs);
      expect([dropped.toObject(), warnings.toObject()]).toEqual([{}, {}]);
    }
  });

  test('the same pairs from two sources count once, and no commit or function is on both sides of the split', async () => {
    const { rows, report } = await loadSftRows([train, valid, sven]);
    expect(report.rows.repair).toBe(1443);
    expect(report.dropped['pair seen before']).toBe(345);
    const { train: kept, heldBack } = holdBack(rows);
    expect(heldBack.length / rows.length).toBeGreaterThan(0.07);
    expect(heldBack.length / rows.length).toBeLessThan(0.13);
    const held = new Set(heldBack.map((row) => row.prompt));
    expect(kept.some((row) => held.has(row.prompt))).toBe(false);
    expect((await loadPreferenceRows([train])).rows).toHaveLength(1296);
  });

  test('tiny reads the functions back, and a third fits 1,024 tokens', async () => {
    const tiny = await Tokenizer.load('tiny');
    const { rows } = await loadSftRows([sven]);
    const { examples, report } = toExamples(tiny, rows, { maxTokens: 1024 });
    expect(report.kept + report.tooLong).toBe(rows.length);
    expect(report.kept / rows.length).toBeGreaterThan(0.33);
    let [tokens, bytes] = [0, 0];
    for (const { prompt, response } of rows) {
      const ids = tiny.encode(prompt, { parseSpecialTokens: false });
      expect(Buffer.from(tiny.bytes(ids)).toString()).toBe(prompt);
      tokens += ids.length + tiny.encode(response).length;
      bytes += Buffer.byteLength(prompt + response);
    }
    expect(bytes / tokens).toBeGreaterThan(1.9);
    expect(examples.every(({ lossWeights }) => lossWeights.some((weight) => weight > 0))).toBe(true);
  });
});
