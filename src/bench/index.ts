export { type BenchGenerateOptions, type BenchGenerateResult, benchGenerate } from './generate.js';
export { type BenchKernelsOptions, type BenchKernelsResult, benchKernels, type KernelBenchRow } from './kernels.js';
export { type BenchSftOptions, type BenchSftResult, benchSft } from './sft.js';
export type { BenchSize } from './sizes.js';
