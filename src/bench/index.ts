export { type BenchGenerateOptions, type BenchGenerateResult, benchGenerate } from './generate.js';
export { type BenchSftOptions, type BenchSftResult, benchSft } from './sft.js';
export type { BenchSize } from './sizes.js';
