export { type BatchOptions, BatchPlan, batches } from './batches.js';
export { chunks } from './chunks.js';
export {
  type Example,
  type ExampleReport,
  type PreferenceExample,
  toDocument,
  toExample,
  toExamples,
  toPreferenceExample,
  toPreferenceExamples,
} from './examples.js';
export type { FunctionPair, Language } from './function-pair.js';
export {
  type DataFormat,
  describeReport,
  detectFormat,
  type GroupedPair,
  type LoadOptions,
  type LoadReport,
  loadPairs,
  loadPreferenceRows,
  loadSftRows,
  loadTexts,
} from './load.js';
export { permutation, RandomStream } from './random.js';
export type { PreferenceRow, SftRow, TextRow } from './rows.js';
export { holdBack } from './split.js';
export { packWindows } from './windows.js';
