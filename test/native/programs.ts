import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The CMake tree that `npm test` builds. */
export const tree: string = fileURLToPath(new URL('../../.cmake-build/Release', import.meta.url));

/** A test program as CMake registered it. */
export interface Program {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly labels: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

interface CTestListing {
  tests: { name: string; command?: [string, ...string[]]; properties?: { name: string; value: unknown }[] }[];
}

/** All test programs of the tree. Throws when they were not built. */
export function programs(): Program[] {
  const listing = execFileSync('ctest', ['--test-dir', tree, '--show-only=json-v1'], { encoding: 'utf8' });
  return (JSON.parse(listing) as CTestListing).tests.map(({ name, command, properties = [] }) => {
    if (!command || !existsSync(command[0])) {
      throw new Error(`the native test ${name} is not built; run \`npm test\` or \`npm run build:native -- --tests\``);
    }
    const list = (property: string): string[] =>
      (properties.find((entry) => entry.name === property)?.value as string[] | undefined) ?? [];
    const env = Object.fromEntries(
      list('ENVIRONMENT').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
    );
    return { name, command, labels: list('LABELS'), env };
  });
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** The names of the cases in a doctest program, each once. */
export function doctestCases(program: Program): string[] {
  const [file, ...args] = program.command;
  const xml = execFileSync(file, [...args, '--list-test-cases', '--reporters=xml'], { encoding: 'utf8' });
  const names = [...xml.matchAll(/<TestCase name="([^"]*)"/g)].map(([, name = '']) =>
    name.replace(/&(\w+);/g, (whole, entity: string) => entities[entity] ?? whole),
  );
  return [...new Set(names)];
}

/** The options that make a doctest program run the one case. Commas and wildcards of a name match as any character. */
export function onlyCase(name: string): string[] {
  return [
    `--test-case=${name.replace(/[,*"\\]/g, '?')}`,
    '--case-sensitive=true',
    '--no-version=true',
    '--no-colors=true',
  ];
}

/** Runs a program to its end and returns what it printed; rejects with that text when it failed, crashed or took too long. */
export function runProgram(
  program: Program,
  args: readonly string[],
  { timeoutMs }: { timeoutMs: number },
): Promise<string> {
  const [file, ...before] = program.command;
  const env = { ...process.env, ...program.env };
  return new Promise((resolve, reject) => {
    execFile(
      file,
      [...before, ...args],
      { env, timeout: timeoutMs, maxBuffer: 1 << 26, killSignal: 'SIGKILL' },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout);
        const how = error.killed
          ? `took over ${timeoutMs} ms`
          : error.signal
            ? `died of ${error.signal}`
            : `exit ${error.code}`;
        reject(new Error(`${program.name} ${args.join(' ')}: ${how}\n${stdout}${stderr}`));
      },
    );
  });
}
