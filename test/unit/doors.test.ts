import { execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tinyModelDir } from '../../src/assets.js';
import { yamlLayer } from '../../src/config/layers.js';
import { ppoSchema } from '../../src/config/ppo.js';
import { readJsonl } from '../../src/dataset/jsonl.js';
import { checkFolder, openOwn, readInput, writeOwn } from '../../src/files.js';
import { readJsonText } from '../../src/json-file.js';
import { readModelConfig } from '../../src/native/model-config.js';
import { Journal } from '../../src/run/journal.js';
import { lock } from '../../src/run/lock.js';
import { Run } from '../../src/run/run.js';
import { replayTeacher } from '../../src/teacher/replay.js';
import { Tokenizer } from '../../src/tokenizer/index.js';

const root = mkdtempSync(join(tmpdir(), 'srcode-doors-'));
afterAll(() => rmSync(root, { recursive: true }));
let count = 0;
const fresh = (): string => {
  const folder = join(root, `${count++}`);
  mkdirSync(folder);
  return folder;
};
const fifo = (): string => {
  const path = join(fresh(), 'p');
  execFileSync('mkfifo', [path]);
  return path;
};

describe('a run folder with links in it', () => {
  const open = (run: string): void => {
    using _ = Run.open(run, {
      ...{ program: 'ppo', schema: ppoSchema, config: {} as never, resume: false, onNotice: () => {} },
    });
  };
  const names = ['metrics.jsonl', 'samples.jsonl', 'journal.jsonl', 'config.yaml', 'machine.json'];

  test.each(names.flatMap((name) => [symlinkSync, linkSync].map((make) => [name, make] as const)))(
    '%s is refused by name, and nothing is overwritten (%o)',
    (name, make) => {
      const folder = fresh();
      const precious = join(folder, 'precious');
      writeFileSync(precious, 'precious\n');
      mkdirSync(join(folder, 'run'));
      make(precious, join(folder, 'run', name));
      expect(() => open(join(folder, 'run'))).toThrow(new RegExp(`Cannot write .*${name}: it is a .*link`));
      expect(readFileSync(precious, 'utf8')).toBe('precious\n');
    },
  );

  test.each(['lock', 'checkpoints', 'checkpoints/step-3'])('%s is refused by name', (name) => {
    const folder = fresh();
    mkdirSync(join(folder, 'elsewhere'));
    mkdirSync(join(folder, 'run', name, '..'), { recursive: true });
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'run', name));
    expect(() => open(join(folder, 'run'))).toThrow(new RegExp(`${name}: it is a link`));
  });

  test('is opened where it is plain, or a link itself', () => {
    const folder = fresh();
    mkdirSync(join(folder, 'run'));
    symlinkSync(join(folder, 'run'), join(folder, 'link'));
    open(join(folder, 'link'));
    expect(existsSync(join(folder, 'run', 'metrics.jsonl'))).toBe(true);
  });
});

describe('a file of our own', () => {
  test('is not written through a link, nor to what is no file', () => {
    const folder = fresh();
    const precious = join(folder, 'precious');
    writeFileSync(precious, 'precious');
    symlinkSync(precious, join(folder, 'soft'));
    linkSync(precious, join(folder, 'hard'));
    execFileSync('mkfifo', [join(folder, 'fifo')]);
    for (const name of ['soft', 'hard', 'fifo']) {
      expect(() => writeOwn(join(folder, name), 'x')).toThrow(new RegExp(`Cannot write .*${name}: it is`));
      expect(() => openOwn(join(folder, name), 'append')).toThrow('Cannot write');
      expect(() => new Journal(join(folder, name))).toThrow('Cannot write');
    }
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    for (const text of ['long content', 'short']) writeOwn(join(folder, 'own'), text);
    expect(readFileSync(join(folder, 'own'), 'utf8')).toBe('short');
  });

  test('that a lock claims is not written through a link', () => {
    const folder = fresh();
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync(join(folder, 'precious'), join(folder, `lock.${process.pid}`));
    lock(join(folder, 'lock'))();
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
  });

  test('of a tokenizer is not written through a link', async () => {
    const folder = fresh();
    writeFileSync(join(folder, 'precious'), 'precious');
    symlinkSync('precious', join(folder, 'tokenizer.json'));
    const tokenizer = await Tokenizer.load('tiny');
    await expect(tokenizer.save(folder)).rejects.toThrow('it is a link');
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('precious');
  });
});

describe('an input that never ends', () => {
  test('is refused at once, with what it is', async () => {
    const path = fifo();
    expect(() => readInput(path)).toThrow(`Cannot read ${path}: it is a FIFO, expected a file`);
    expect(() => readInput('/dev/zero')).toThrow('it is a device');
    expect(() => readInput(root)).toThrow('it is a folder');
    expect(() => yamlLayer(path)).toThrow('a FIFO');
    await expect(replayTeacher(path)).rejects.toThrow('a FIFO');
    await expect(
      readJsonl(path, { parse: (row: unknown) => row } as never)
        [Symbol.asyncIterator]()
        .next(),
    ).rejects.toThrow('a FIFO');
    const socket = join(fresh(), 's');
    const server = createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(() => readInput(socket)).toThrow('it is a socket');
    server.close();
  });

  test('is refused in a model folder', async () => {
    const folder = fresh();
    for (const name of ['tokenizer.json', 'config.json', 'model.safetensors']) {
      const at = join(folder, name);
      cpSync(tinyModelDir, at, { recursive: true });
      rmSync(join(at, name));
      execFileSync('mkfifo', [join(at, name)]);
      expect(() => checkFolder(at, /\.(?:json|safetensors)$/)).toThrow(`${name}: it is a FIFO`);
    }
    await expect(Tokenizer.load(join(folder, 'tokenizer.json'))).rejects.toThrow('it is a FIFO');
    expect(() => readModelConfig(join(folder, 'config.json'))).toThrow('it is a FIFO');
  });

  test.skipIf(!existsSync('dist/cli/main.js'))(
    'on standard input is given up at SIGTERM',
    async () => {
      const child = spawn(process.execPath, ['dist/cli/main.js', 'generate'], { stdio: ['pipe', 'ignore', 'pipe'] });
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
      setTimeout(() => child.kill('SIGTERM'), 3000);
      expect(await ended).toBe(130);
    },
    20_000,
  );
});

describe('a hostile tokenizer', () => {
  const withPatterns = (change: (json: Record<string, unknown>) => void): string => {
    const folder = fresh();
    cpSync(tinyModelDir, folder, { recursive: true });
    const file = join(folder, 'tokenizer.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    change(json);
    if (lstatSync(file).isFile()) writeFileSync(file, JSON.stringify(json));
    return folder;
  };
  const split = (Regex: string): object => ({
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  });
  const text = `${'a'.repeat(40)}!`;

  test.each(['(a+)+$', '(?:a|a)*$', '(a*)*b'])(
    'with the pattern %s ends in an error that names it',
    async (pattern) => {
      const folder = withPatterns((json) => {
        json.pre_tokenizer = split(pattern);
      });
      const tokenizer = await Tokenizer.load(folder);
      expect(tokenizer.decode(tokenizer.encode('ab'))).toBe('ab');
      expect(() => tokenizer.encode(text)).toThrow(
        expect.objectContaining({
          code: 'ERR_UNSUPPORTED',
          message: expect.stringContaining(`${join(folder, 'tokenizer.json')}: splitting a text of 41 characters`),
        }),
      );
      expect(() => tokenizer.encode(text)).toThrow(JSON.stringify(pattern));
      expect(tokenizer.decode(tokenizer.encode('ab'))).toBe('ab');
    },
  );

  test('with such a pattern in its normalizer, too', async () => {
    const folder = withPatterns((json) => {
      json.normalizer = { type: 'Replace', pattern: { Regex: '(a+)+$' }, content: 'b' };
    });
    const tokenizer = await Tokenizer.load(folder);
    expect(() => tokenizer.encode(text)).toThrow('"(a+)+$"');
  });

  test('with patterns of its own that are quick encodes as ever', async () => {
    const tiny = await Tokenizer.load('tiny');
    const own = withPatterns((json) => {
      const [first] = (json.pre_tokenizer as { pretokenizers: { pattern: { Regex: string } }[] }).pretokenizers;
      if (first !== undefined) first.pattern.Regex = `(?:${first.pattern.Regex})`;
    });
    const code = readFileSync('src/files.ts', 'utf8');
    expect((await Tokenizer.load(own)).encode(code)).toEqual(tiny.encode(code));
  });

  test('whose JSON is too deep is refused', async () => {
    const folder = withPatterns(() => {});
    const deep = `${'{"type":"Sequence","pretokenizers":['.repeat(50_000)}${']}'.repeat(50_000)}`;
    writeFileSync(join(folder, 'tokenizer.json'), deep);
    await expect(Tokenizer.load(folder)).rejects.toThrow('more than 64 levels');
    writeFileSync(join(folder, 'quoted.json'), JSON.stringify({ text: `${'['.repeat(1000)}"\\` }));
    expect(JSON.parse(readJsonText(join(folder, 'quoted.json'))).text).toHaveLength(1002);
  });
});
