// Starts the process that is fuzzed, and ends it when it takes too long: by its CPU time, as the machine may be busy with other things.
import { fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allowed } from './checks.mjs';

const program = join(import.meta.dirname, 'child.mjs');
const ticks = 100;
/** Milliseconds without a word, on a machine however busy. */
const silence = 600_000;

/** CPU seconds of a process so far; undefined when it is gone. */
function cpuOf(pid) {
  try {
    // The name in brackets may hold blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / ticks;
  } catch {
    return undefined;
  }
}

export class Fuzzed {
  #child;
  #hear;
  #at;
  #killed = false;
  /** When it last said something. */
  #since = 0;
  /** CPU milliseconds of all processes that ended, and of this one as far as known. */
  cpu = 0;
  #watch;

  /** @param {(message: object) => void} hear - Whatever the child says, and `{ gone: key, at: index }` when it hung or crashed. */
  constructor(hear) {
    this.#hear = hear;
  }

  async start() {
    this.#killed = false;
    this.#at = undefined;
    const child = fork(program, {
      execArgv: ['--max-old-space-size=1500', '--expose-gc'],
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    this.#child = child;
    // A message to one that has just died is no error of ours.
    child.on('error', () => {});
    let complaint = '';
    child.stderr.on('data', (data) => {
      complaint = (complaint + data).slice(-4000);
    });
    await new Promise((resolve, reject) => {
      child.once('exit', () => reject(new Error(`the fuzzed process does not start:\n${complaint}`)));
      child.on('message', (message) => {
        if (message.ready) resolve();
        if (message.at !== undefined) this.#at = message;
        this.#since = Date.now();
        if (message.cpu !== undefined) this.cpu = message.cpu;
        if (message.done !== undefined || message.answer !== undefined) this.#at = undefined;
        if (!message.ready) this.#hear(message);
      });
    });
    child.removeAllListeners('exit');
    child.once('exit', (code, signal) => {
      clearInterval(this.#watch);
      if (this.#child !== child) return;
      this.#child = undefined;
      const crash = /heap out of memory/.test(complaint) ? 'crash: out of memory' : `crash: ${signal ?? code}`;
      this.#hear({ gone: this.#killed ? 'hang' : crash, at: this.#at?.at, detail: complaint.slice(0, 1500) });
    });
    this.#watch = setInterval(() => {
      const now = this.#at && cpuOf(child.pid);
      if (now === undefined) return;
      const ran = now * 1000 - this.#at.cpu;
      // One that waits for nothing takes no CPU time.
      if (ran < 1.5 * allowed(this.#at.length) && Date.now() - this.#since < silence) return;
      this.#killed = true;
      child.kill('SIGKILL');
    }, 200);
  }

  get running() {
    return this.#child !== undefined;
  }

  say(message) {
    this.#child.send(message);
  }

  stop() {
    clearInterval(this.#watch);
    const child = this.#child;
    this.#child = undefined;
    child?.kill('SIGKILL');
  }
}

/** Asks about one input at a time. */
export class Prober {
  #fuzzed;
  #settle;

  /** @returns {Promise<{ key?: string, detail?: string, times?: object, verdict?: string }>} */
  async probe(input, language) {
    if (this.#fuzzed?.running !== true) {
      this.#fuzzed = new Fuzzed((message) => {
        if (message.answer) this.#settle(message.answer);
        if (message.gone) this.#settle({ key: message.gone, detail: message.detail });
      });
      await this.#fuzzed.start();
    }
    const answer = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#fuzzed.say({ input: { ...input, code: Buffer.from(input.code).toString('base64') }, language });
    return answer;
  }

  stop() {
    this.#fuzzed?.stop();
  }
}
