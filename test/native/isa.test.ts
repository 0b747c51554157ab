import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';
import { Model } from '../../src/native/model.js';
import { oddConfig } from '../support/models.js';
import { tree } from './programs.js';

interface CompileCommand {
  readonly directory: string;
  readonly file: string;
  readonly command: string;
}

// Objects of the core that were compiled with more than the baseline instruction set.
function wideObjects(): string[] {
  const file = join(tree, 'compile_commands.json');
  if (!existsSync(file)) throw new Error(`${file} is missing; run \`npm test\` or \`npm run build:native -- --tests\``);
  const commands = JSON.parse(readFileSync(file, 'utf8')) as CompileCommand[];
  return commands
    .filter(
      ({ file: source, command }) =>
        /native\/(core|backend|kernels|model|train)\//.test(source) && / -m(avx|amx|fma|f16c)/.test(command),
    )
    .map(({ directory, command }) => join(directory, / -o (\S+)/.exec(command)?.[1] ?? ''));
}

test('objects with wide instructions define no symbol that the linker could share with baseline code', (context) => {
  if (spawnSync('nm', ['--version']).error) context.skip('nm (binutils) is not installed');
  const objects = wideObjects();
  expect(objects.map((object) => basename(object))).toContain('level_avx512.cc.o');

  // The linker keeps one copy of an inline function or template that several objects define (weak W and V, unique u), perhaps the
  // one with AVX-512 in it, and every caller gets that: SIGILL on a lesser machine. An anonymous namespace keeps them local.
  const shared = objects.flatMap((object) =>
    execFileSync('nm', ['--defined-only', '--demangle', object], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => /^\S+ [WwVvu] /.test(line))
      .map((line) => `${basename(object)}: ${line}`),
  );
  expect(shared).toEqual([]);
});

test('a model computes at the level that SRCODE_ISA names', async () => {
  using model = await Model.create(oddConfig);
  const named = process.env.SRCODE_ISA;
  if (named) expect(model.isa).toBe(named);
  else expect(['portable', 'avx2', 'avx512', 'avx512_bf16', 'amx']).toContain(model.isa);
});
