import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'dist', 'cli', 'main.js');

/** Builds dist when a source is newer, as `npm test` has done already; a lone `vitest run` may not have. */
export function buildCli(): void {
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => statSync(join(folder, name)).mtimeMs),
    );
  const built = statSync(main, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (built > newest(join(root, 'src'))) return;
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the TypeScript build failed:\n${stdout}`);
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** `srcode <args>`, to its end. */
export async function srcode(
  args: readonly string[],
  options: { cwd?: string; shell?: string } = {},
): Promise<Outcome> {
  return finished(start(args, options));
}

/** `srcode <args>`, started; `shell` is a prefix such as `ulimit -f 100; exec`. */
export function start(args: readonly string[], { cwd, shell }: { cwd?: string; shell?: string } = {}): ChildProcess {
  const env = { ...process.env, NO_COLOR: '1' };
  if (shell === undefined) return spawn(process.execPath, [main, ...args], { cwd, env });
  return spawn('bash', ['-c', `${shell} "$@"`, 'bash', process.execPath, main, ...args], { cwd, env });
}

export function finished(child: ChildProcess): Promise<Outcome> {
  const text = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk) => {
    text.stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    text.stderr += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...text }));
  });
}
