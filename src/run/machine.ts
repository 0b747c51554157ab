import { existsSync } from 'node:fs';
import { readInput } from '../files.js';
import { writeDurably } from './durable.js';

/** What decides the last bits of a result. */
export interface Machine {
  /** Version and hash of the native addon. */
  build: string;
  isa: string;
  threads: number;
}

/**
 * Appends to machine.json, one entry for each stretch of the run: `[{ step, build, isa, threads }]`. Returns what differs from
 * the stretch before, in words, or undefined when nothing does.
 */
export function recordMachine(file: string, step: number, machine: Machine): string | undefined {
  const before: (Machine & { step: number })[] =
    existsSync(file) && step > 0 ? JSON.parse(readInput(file).toString('utf8')) : [];
  const last = before.at(-1);
  const differing = (['build', 'isa', 'threads'] as const).filter(
    (key) => last !== undefined && last[key] !== machine[key],
  );
  if (last !== undefined && differing.length === 0) return undefined;
  writeDurably(file, `${JSON.stringify([...before, { step, ...machine }], null, 1)}\n`);
  if (last === undefined) return undefined;
  return differing.map((key) => `${key} was ${last[key]}, is ${machine[key]}`).join('; ');
}
