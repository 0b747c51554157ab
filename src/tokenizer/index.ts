export { CODE_SPLIT, type EncodeOptions, Tokenizer, type TrainOptions } from './tokenizer.js';
