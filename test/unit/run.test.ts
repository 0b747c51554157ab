import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { objectLayer } from '../../src/config/layers.js';
import { resolveConfig } from '../../src/config/resolve.js';
import { type SftConfig, sftSchema } from '../../src/config/sft.js';
import { damage, listCheckpoints, sweep, writeCheckpoint } from '../../src/run/checkpoint.js';
import { Journal } from '../../src/run/journal.js';
import { lock } from '../../src/run/lock.js';
import { duration, Progress } from '../../src/run/progress.js';
import { type Notice, Run } from '../../src/run/run.js';

const fresh = (): string => mkdtempSync(join(tmpdir(), 'srcode-run-'));
const time = { at: '', seconds: 1, tokensPerSecond: 1, rssMiB: 1 };
const machine = { build: 'b', isa: 'avx2', threads: 2 };

function open(folder: string, options: { resume?: boolean; config?: object; notices?: Notice[] } = {}): Run {
  const config: SftConfig = resolveConfig(sftSchema, [objectLayer({ data: ['a'], ...options.config })]);
  return Run.open(folder, {
    program: 'sft',
    schema: sftSchema,
    config,
    resume: options.resume ?? false,
    onNotice: (notice) => options.notices?.push(notice),
  });
}

const weights = (text: string) => async (dir: string) => {
  mkdirSync(join(dir, 'adapter'));
  writeFileSync(join(dir, 'adapter', 'weights'), text);
};

describe('a run folder', () => {
  test('begins at step 0, with or without resume', () => {
    for (const resume of [false, true]) {
      using run = open(join(fresh(), 'a', 'b'), { resume });
      expect([run.step, run.finished, run.checkpoint]).toEqual([0, false, undefined]);
    }
  });

  test('goes on from the newest checkpoint with the logs cut back to it', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      run.metrics(1, { 'train/loss': 3 }, time);
      run.sample({ step: 1, prompt: 'p', answer: 'a' });
      await run.save(1, 0, weights('one'));
      run.metrics(2, { 'train/loss': 2 }, time);
      run.sample({ step: 2, prompt: 'p', answer: 'b' });
    }
    appendFileSync(join(folder, 'metrics.jsonl'), '{"step":3,"half');
    using run = open(folder, { resume: true });
    expect([run.step, run.finished]).toEqual([1, false]);
    expect(readFileSync(join(run.checkpoint?.path ?? '', 'adapter', 'weights'), 'utf8')).toBe('one');
    expect(readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
    expect(readFileSync(join(folder, 'samples.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1);
    expect(run.metricsAt(1)).toEqual({ 'train/loss': 3 });
  });

  test('is finished when the last step has its checkpoint', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      await run.save(3, 0, weights('x'));
    }
    using run = open(folder, { resume: true });
    expect(run.finished).toBe(true);
  });

  test('passes over a checkpoint that is not whole, and says so', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      await run.save(1, 0, weights('one'));
      await run.save(2, 0, weights('two'));
      await run.save(3, 0, weights('three'));
    }
    truncateSync(join(folder, 'checkpoints/step-3/adapter/weights'), 2);
    writeFileSync(join(folder, 'checkpoints/step-2/adapter/weights'), 'owt');
    const notices: Notice[] = [];
    using run = open(folder, { resume: true, notices });
    expect(run.step).toBe(1);
    expect(notices.map(({ message }) => message)).toEqual([
      expect.stringContaining('weights has 2 bytes, expected 5'),
      expect.stringContaining('weights is not what was written'),
    ]);
    expect(readdirSync(join(folder, 'checkpoints'))).toEqual(['step-1']);
  });

  test('with a run in it is refused without resume', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.metrics(1, {}, time);
    }
    expect(() => open(folder)).toThrow(/already holds a run. Go on with --resume/);
    // A refusal gives the lock back.
    open(folder, { resume: true })[Symbol.dispose]();
  });

  test('whose run never took a step is taken as new', () => {
    const folder = fresh();
    open(folder)[Symbol.dispose]();
    open(folder, { config: { lr: 1 } })[Symbol.dispose]();
    expect(readFileSync(join(folder, 'config.yaml'), 'utf8')).toContain('lr: 1\n');
  });

  test('of another configuration is refused with the differing keys', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      await run.save(1, 0, weights('x'));
    }
    expect(() => open(folder, { resume: true, config: { lr: 0.5, lora: { rank: 4 } } })).toThrow(
      /lr: the run has 0.001, received 0.5\n {2}lora.rank: the run has 8, received 4$/,
    );
    open(folder, { resume: true, config: { threads: 7, checkpointEvery: 1 } })[Symbol.dispose]();
  });

  test('does not go on with other data', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      await run.save(1, 0, weights('x'));
    }
    using run = open(folder, { resume: true });
    expect(() => run.begin(machine, 'other', 3)).toThrow(/data has changed since .*step-1/);
  });

  test('says once that a run goes on elsewhere', async () => {
    const folder = fresh();
    {
      using run = open(folder);
      run.begin(machine, 'data', 3);
      await run.save(1, 0, weights('x'));
    }
    const notices: Notice[] = [];
    for (let again = 0; again < 2; again++) {
      using run = open(folder, { resume: true, notices });
      run.begin({ ...machine, threads: 4 }, 'data', 3);
    }
    expect(notices).toEqual([
      {
        level: 'warn',
        message: 'Resuming on another machine or build (threads was 2, is 4): results may differ in their last bits.',
      },
    ]);
  });

  test('keeps the newest checkpoints only when told so', async () => {
    const folder = fresh();
    using run = open(folder);
    run.begin(machine, 'data', 3);
    for (const step of [1, 2, 3, 10]) await run.save(step, 2, weights('x'));
    expect(listCheckpoints(join(folder, 'checkpoints')).map(({ step }) => step)).toEqual([3, 10]);
  });

  test('in a place that cannot be made is one clear error', () => {
    const file = join(fresh(), 'file');
    writeFileSync(file, '');
    expect(() => open(join(file, 'run'))).toThrow(/Cannot create the run folder .*a part of the path is a file/);
  });
});

describe('a checkpoint', () => {
  test('that fails to be written leaves the finished ones and no remains', async () => {
    const folder = fresh();
    await writeCheckpoint(folder, 1, weights('one'));
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const failing = writeCheckpoint(folder, 2, async (dir) => {
      writeFileSync(join(dir, 'half'), 'x');
      throw full;
    });
    await expect(failing).rejects.toMatchObject({
      code: 'ERR_IO',
      message: expect.stringContaining('the disk is full'),
    });
    expect(readdirSync(folder)).toEqual(['step-1']);
    expect(damage({ step: 1, path: join(folder, 'step-1') })).toBeUndefined();
  });

  test('without a manifest, or with a file missing, is not whole', async () => {
    const folder = fresh();
    const made = await writeCheckpoint(folder, 1, weights('one'));
    rmSync(join(made.path, 'adapter/weights'));
    expect(damage(made)).toMatch(/adapter\/weights: ENOENT/);
    rmSync(join(made.path, 'manifest.json'));
    expect(damage(made)).toMatch(/^manifest.json: ENOENT/);
  });

  test('half written by a killed process is swept away', async () => {
    const folder = fresh();
    mkdirSync(join(folder, '.step-7.tmp'));
    mkdirSync(join(folder, '.old-1-2'));
    mkdirSync(join(folder, 'mine'));
    sweep(folder);
    expect(readdirSync(folder)).toEqual(['mine']);
  });
});

describe('a lock', () => {
  const pathIn = (folder: string): string => join(folder, 'lock');

  test('is held by one, and can be taken again when given back', () => {
    const path = pathIn(fresh());
    const unlock = lock(path);
    expect(() => lock(path)).toThrow(new RegExp(`in use by process ${process.pid}`));
    unlock();
    lock(path)();
    expect(existsSync(path)).toBe(false);
  });

  test('dies with its process', () => {
    const path = pathIn(fresh());
    const { pid } = spawnSync(process.execPath, ['-e', '0']);
    lock(path)();
    writeFileSync(path, JSON.stringify({ ...holderOf(process.pid), pid }));
    lock(path)();
  });

  test('does not pass to a later process of the same number', () => {
    const path = pathIn(fresh());
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    const pid = child.pid ?? 0;
    try {
      writeFileSync(path, JSON.stringify(holderOf(pid)));
      expect(() => lock(path)).toThrow(new RegExp(`in use by process ${pid}`));
      writeFileSync(path, JSON.stringify({ ...holderOf(pid), started: '1' }));
      lock(path)();
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('from before a restart is dead, one of another host is believed', () => {
    const path = pathIn(fresh());
    writeFileSync(path, JSON.stringify({ ...holderOf(process.pid), boot: 'earlier' }));
    lock(path)();
    writeFileSync(path, JSON.stringify({ ...holderOf(process.pid), host: `not-${hostname()}` }));
    expect(() => lock(path)).toThrow(/if it is gone, remove .*lock/);
  });

  test('that is garbage is taken over', () => {
    const path = pathIn(fresh());
    writeFileSync(path, '{"pid":');
    lock(path)();
  });

  function holderOf(pid: number): object {
    const path = pathIn(fresh());
    const unlock = lock(path);
    const own = JSON.parse(readFileSync(path, 'utf8'));
    unlock();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return { ...own, pid, started: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] };
  }
});

describe('a journal', () => {
  test('remembers answers and cuts a torn tail', () => {
    const path = join(fresh(), 'journal.jsonl');
    const journal = new Journal(path);
    journal.record('k1', { verdict: 'é' });
    journal.record('k2', [1, 2]);
    journal.close();
    const whole = readFileSync(path);
    for (let cut = 1; cut < 30; cut++) {
      writeFileSync(path, whole.subarray(0, whole.length - cut));
      const again = new Journal(path);
      expect([again.size, again.lookup('k1'), again.lookup('k2')]).toEqual([1, { verdict: 'é' }, undefined]);
      again.record('k2', [1, 2]);
      again.close();
      expect(readFileSync(path)).toEqual(whole);
    }
  });

  test('does not believe a line whose checksum is wrong', () => {
    const path = join(fresh(), 'journal.jsonl');
    const journal = new Journal(path);
    journal.record('k1', 1);
    journal.record('k2', 2);
    journal.close();
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"value":1', '"value":7'));
    const again = new Journal(path);
    expect(again.size).toBe(0);
    again.close();
  });
});

describe('progress', () => {
  function screen(isTTY: boolean): {
    out: { isTTY: boolean; columns: number; write(text: string): void };
    text: () => string;
  } {
    const written: string[] = [];
    return { out: { isTTY, columns: 200, write: (more) => void written.push(more) }, text: () => written.join('') };
  }

  test('redraws one line on a terminal, with rate, time left and memory', () => {
    const { out, text } = screen(true);
    let now = 0;
    const progress = new Progress(
      out,
      () => now,
      () => 512 * 2 ** 20,
    );
    progress.step({ step: 1, steps: 61, tokens: 1000, loss: 2 });
    now = 2000;
    progress.step({ step: 2, steps: 61, tokens: 1000, loss: 1.5 });
    // One step of 1000 tokens in two seconds; 59 steps are left.
    expect(text().split('\r\x1b[K').at(-1)).toBe('step 2/61  loss 1.5000  500 tok/s  ETA 1:58  512 MiB');
    progress.done();
    expect(text().endsWith('\n')).toBe(true);
  });

  test('writes plain lines, seldom, when nobody watches', () => {
    const { out, text } = screen(false);
    let now = 0;
    const progress = new Progress(
      out,
      () => now,
      () => 0,
    );
    for (let step = 1; step <= 100; step++, now += 1000) progress.step({ step, steps: 100, tokens: 1, loss: 1 });
    expect(text()).not.toContain('\x1b');
    expect(text().trim().split('\n')).toHaveLength(11);
  });

  test('a warning stays on the screen above the status line', () => {
    const { out, text } = screen(true);
    const progress = new Progress(
      out,
      () => 0,
      () => 0,
    );
    progress.step({ step: 1, steps: 2, tokens: 1, loss: 1 });
    progress.note('mind the gap', 'warn');
    expect(text()).toMatch(/warning: .*mind the gap\n$/);
    expect(text().split('\r\x1b[K')).toHaveLength(3);
  });

  test('duration', () => {
    expect([duration(0.4), duration(59.4), duration(61), duration(3723)]).toEqual(['0 s', '59 s', '1:01', '1:02:03']);
  });
});
