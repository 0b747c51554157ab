import type { Sandbox, SandboxLimits } from '../sandbox.js';
import { type CallRow, type CaseReport, decodeReport, encodePlan } from './plan.js';
import type { Toolchain, Variant } from './toolchain.js';

/**
 * Runs the cases of rows, each in a process of its own that has nothing but its row's program in it.
 * @returns the cases of each row that were run; or why the driver failed, which says nothing of the rows.
 */
export async function runCases(
  sandbox: Sandbox,
  { drivers }: Toolchain,
  rows: readonly CallRow[],
  variant: Variant,
  signal?: AbortSignal,
): Promise<CaseReport[][] | { fault: string }> {
  const plan = encodePlan(rows);
  const result = await sandbox.run({
    argv: ['./driver'],
    files: { driver: drivers[variant] },
    stdin: plan,
    limits: driverLimits(rows, plan.length),
    signal,
  });
  const cases = decodeReport(result.channel, rows);
  if ('fault' in cases || result.status === 0) return cases;
  const how = result.timedOut ?? result.signal ?? `status ${result.status}`;
  return { fault: `the driver ended otherwise than it should: ${how}` };
}

// The driver limits the cases; these only have to be beyond them.
function driverLimits(rows: readonly CallRow[], planBytes: number): SandboxLimits {
  const cases = rows.reduce((sum, row) => sum + row.cases.length, 0);
  return {
    cpuSeconds: 600,
    wallSeconds: 60 + 10 * rows.length + 2 * cases,
    processes: 8,
    totalMiB: 1024,
    fileMiB: 64,
    // The bytes of objects come back.
    outputBytes: 2 ** 26 + planBytes,
  };
}
