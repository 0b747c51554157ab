export type { Isolation } from './isolation.js';
export { Sandbox, type SandboxLimits, type SandboxResult, type SandboxRun } from './sandbox.js';
export type { Profile } from './system-calls.js';
