import { Sandbox } from '../../src/sandbox/index.js';

/** Why nothing isolates programs here, or undefined. */
export const noIsolation: string | undefined = await Sandbox.open().then(
  () => undefined,
  (error: Error) => error.message,
);
