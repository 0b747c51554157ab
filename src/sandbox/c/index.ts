export { type Compiled, compileAll, type Program } from './compile.js';
export { runCases } from './driver.js';
export type * from './plan.js';
export { type Offer, openToolchain, type Toolchain, type Variant } from './toolchain.js';
