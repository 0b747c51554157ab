export { allowedBuiltins, allowedHeaders, libraryFunctions, linkSymbols } from './library.js';
export { type Refusal, refusalOf } from './refusal.js';
