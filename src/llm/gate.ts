import { setTimeout as sleep } from 'node:timers/promises';

/** Lets a number of tasks through at a time, and none before a moment that a server named. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  #free: number;
  #openAt = 0;

  constructor(places: number) {
    this.#free = places;
  }

  /** Runs `task` when there is a place. */
  async pass<T>(task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await this.#place(signal);
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  /** Holds everyone back for so many seconds. */
  close(seconds: number): void {
    this.#openAt = Math.max(this.#openAt, Date.now() + 1000 * seconds);
  }

  /** Waits until nobody is held back. */
  async opened(signal: AbortSignal | undefined): Promise<void> {
    for (let left = this.#openAt - Date.now(); left > 0; left = this.#openAt - Date.now()) {
      await pause(left / 1000, signal);
    }
  }

  async #place(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      const enter = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      this.#waiting.push(enter);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

/** @throws the signal's reason when it aborts. */
export async function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(1000 * seconds, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
