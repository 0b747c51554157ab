export { allowedBuiltins, allowedHeaders, libraryFunctions, linkSymbols } from './library.js';
export type { Given } from './names.js';
export { type Refusal, refusalOf } from './refusal.js';
