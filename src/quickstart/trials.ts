import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { quickstartAssets } from '../assets.js';
import { readInput } from '../files.js';
import type { Trial } from '../report/data.js';

/**
 * How the arms' settings were chosen: equally many trials for each, on validation prompts, as `scripts/tune-arms.mjs` recorded them.
 * The chosen settings are in arms.ts.
 */
export function recordedTrials(): Trial[] {
  const file = join(quickstartAssets, 'trials.json');
  return existsSync(file) ? (JSON.parse(readInput(file).toString('utf8')) as Trial[]) : [];
}
