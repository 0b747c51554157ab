import { createHash } from 'node:crypto';
import { LineLog } from './durable.js';

/**
 * What came from outside the run (executions, language models), kept under the hash of what was asked, so that a resumed
 * run sees the same answers. One line an answer: `<sha256 of the rest, 16 hex digits> {"key", "value"}`.
 * Opening cuts the file back to its last whole line. An answer is durable once `record` returns.
 */
export class Journal {
  readonly #log: LineLog;
  readonly #answers: Map<string, unknown> = new Map();

  constructor(path: string) {
    this.#log = new LineLog(path);
    let whole = 0;
    for (const { key, value } of journalled(this.#log.read())) {
      this.#answers.set(key, value);
      whole++;
    }
    this.#log.cut(whole);
  }

  get size(): number {
    return this.#answers.size;
  }

  lookup(key: string): unknown {
    return this.#answers.get(key);
  }

  /** All answers, in the order in which their keys were first recorded. */
  entries(): Iterable<readonly [key: string, value: unknown]> {
    return this.#answers.entries();
  }

  record(key: string, value: unknown): void {
    this.recordAll([[key, value]]);
  }

  /** Records answers in order, with one sync for all: a crash leaves the first of them, each one whole. */
  recordAll(answers: Iterable<readonly [key: string, value: unknown]>): void {
    const recorded = [...answers];
    if (recorded.length === 0) return;
    for (const [key, value] of recorded) {
      const body = JSON.stringify({ key, value });
      this.#log.append(`${checksum(body)} ${body}`);
    }
    this.#log.sync();
    for (const [key, value] of recorded) this.#answers.set(key, value);
  }

  close(): void {
    this.#log.close();
  }
}

/** The answers of a journal's bytes, up to its last whole line. */
export function* journalled(bytes: Buffer): Generator<{ key: string; value: unknown }> {
  for (const line of bytes.toString('utf8').split('\n').slice(0, -1)) {
    const body = line.slice(17);
    if (line !== `${checksum(body)} ${body}`) return;
    yield JSON.parse(body) as { key: string; value: unknown };
  }
}

function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
