export type { Isolation } from './isolation.js';
export { locate } from './programs.js';
export { quoted } from './quote.js';
export { Sandbox, type SandboxLimits, type SandboxResult, type SandboxRun } from './sandbox.js';
export type { Profile } from './system-calls.js';
