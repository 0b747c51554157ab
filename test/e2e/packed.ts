import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** The package as a user gets it: packed from the sources and installed into an empty project. */
export interface Packed extends Disposable {
  /** The project's folder; the package is in node_modules/srcode. */
  readonly project: string;
  readonly home: string;
  /** What the tarball holds. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
  /** Runs a program in the project and returns its standard output. */
  run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): string;
}

/** No registry and nothing in npm's cache: the tests of the package cannot run. */
export class Offline extends Error {}

// An npm above us passes its own settings down; the inner one must run scripts whatever they say.
function environment(): NodeJS.ProcessEnv {
  const { npm_config_ignore_scripts, npm_config_dry_run, NODE_OPTIONS, SRCODE_NATIVE, VITEST, ...env } = process.env;
  return env;
}

function execute(
  cwd: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): string {
  return execFileSync(program, args, {
    cwd,
    env: { ...environment(), ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  });
}

/** Packs a copy of the sources (the checkout itself is in use by other tests) and installs it without scripts. */
export function installPacked(): Packed {
  const folder = mkdtempSync(join(tmpdir(), 'srcode package '));
  const dispose = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const source = join(folder, 'source');
    const left = new Set(['node_modules', 'build', 'dist', '.git', '.cmake-build', 'runs', 'coverage']);
    mkdirSync(source);
    for (const name of readdirSync(root)) {
      if (!left.has(name)) cpSync(join(root, name), join(source, name), { recursive: true });
    }
    symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
    const report = execute(source, 'npm', ['pack', '--json', '--pack-destination', folder]);
    // What prepare prints comes first.
    const [pack] = JSON.parse(report.slice(report.indexOf('[\n'))) as [
      { filename: string; files: { path: string; size: number }[] },
    ];

    const project = join(folder, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
    const tarball = relative(project, join(folder, pack.filename));
    execute(project, 'npm', ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball]);
    return {
      project,
      home: join(project, 'node_modules', 'srcode'),
      files: pack.files,
      run: (program, args, env) => execute(project, program, args, env),
      [Symbol.dispose]: dispose,
    };
  } catch (error) {
    dispose();
    const { stderr = '' } = error as { stderr?: string };
    if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(stderr)) throw new Offline(stderr);
    throw error;
  }
}
