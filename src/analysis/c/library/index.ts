import { Pointer } from '../values.js';
import type { Entry } from './call.js';
import { memory } from './memory.js';
import { stderr, stdout, streams } from './streams.js';
import { strings } from './strings.js';

const entries: ReadonlyMap<string, Entry> = new Map(Object.entries({ ...strings, ...memory, ...streams }));
const standard: ReadonlyMap<string, Pointer> = new Map([
  ['stdout', new Pointer(stdout)],
  ['stderr', new Pointer(stderr)],
]);

/** The C library, as far as the machine knows it. */
export const library = {
  /** Whether it declares a name. */
  has: (name: string): boolean => entries.has(name) || standard.has(name),
  get: (name: string): Entry | undefined => entries.get(name),
  /** A standard stream. */
  stream: (name: string): Pointer | undefined => standard.get(name),
};
