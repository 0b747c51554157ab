import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';

// The interpreter of $PYTHON, for tests that ask transformers and peft.
export const python: string = process.env.SRCODE_PYTHON ?? process.env.PYTHON ?? 'python3';

/** Why the oracle cannot be asked here, or null if it can. */
export function missingPackages(): string | null {
  const { status, error } = spawnSync(python, ['-c', 'import torch, transformers, peft, tokenizers'], {
    stdio: 'ignore',
  });
  if (status === 0) return null;
  return error
    ? `no Python at ${python}`
    : `${python} lacks torch, transformers, peft or tokenizers; set $PYTHON to one that has them`;
}

/** Asks test/oracle/ask.py. */
export function ask<Answer>(question: object): Answer {
  const script = join(import.meta.dirname, '../oracle/ask.py');
  const answer = execFileSync(python, [script], { input: JSON.stringify(question), encoding: 'utf8' });
  return JSON.parse(answer) as Answer;
}
