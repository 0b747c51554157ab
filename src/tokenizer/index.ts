export { CODE_SPLIT } from './code-split.js';
export { type EncodeOptions, Tokenizer, type TrainOptions } from './tokenizer.js';
