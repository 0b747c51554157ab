import { type ResourceLimits, Worker } from 'node:worker_threads';

export interface WorkerPoolOptions<A> {
  /** Threads at most; each is started when there is something for it to do. */
  size: number;
  /** For one question. */
  seconds: number;
  resourceLimits?: ResourceLimits;
  /** Whether a thread that gave this answer is to be replaced: it may hold what it does not give back. */
  isSpent?: (answer: A) => boolean;
}

/** What a thread said, or why it said nothing. */
export type Answer<A> = { answer: A; failure?: undefined } | { answer?: undefined; failure: string };

/** For a thread to say that it is ready, on a machine that is busy. */
const startSeconds = 60;

/**
 * Threads that answer one question at a time each. Their script posts a message when it is ready, then an answer to each message. A thread that
 * dies of a question, or takes too long over it, fails that question alone, and another takes its place. Threads without work keep no
 * process alive.
 */
export class WorkerPool<Q, A> {
  readonly #script: URL;
  readonly #options: WorkerPoolOptions<A>;
  readonly #idle: Worker[] = [];
  readonly #waiting: Job<Q, A>[] = [];
  #threads = 0;

  constructor(script: URL, options: WorkerPoolOptions<A>) {
    this.#script = script;
    this.#options = options;
  }

  /**
   * Answers in the order of the questions, whatever order they come in.
   * @throws `signal`'s reason when it is aborted; threads that are at work then are ended.
   */
  async ask(questions: readonly Q[], { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Answer<A>[]> {
    signal?.throwIfAborted();
    const answers = questions.map(
      (question) => new Promise<Answer<A>>((resolve) => this.#waiting.push({ question, resolve, signal })),
    );
    this.#next();
    const answered = await Promise.all(answers);
    signal?.throwIfAborted();
    return answered;
  }

  #next(): void {
    while (this.#waiting.length > 0 && (this.#idle.length > 0 || this.#threads < this.#options.size)) {
      void this.#do(this.#waiting.shift() as Job<Q, A>);
    }
  }

  async #do({ question, resolve, signal }: Job<Q, A>): Promise<void> {
    let worker = this.#idle.pop();
    if (worker === undefined) this.#threads++;
    let answer: Answer<A>;
    try {
      if (worker === undefined) {
        worker = this.#start();
        await saidBy(worker, startSeconds, signal);
      }
      worker.ref();
      worker.postMessage(question);
      answer = { answer: (await saidBy(worker, this.#options.seconds, signal)) as A };
      worker.unref();
      if (this.#options.isSpent?.(answer.answer)) {
        this.#threads--;
        await worker.terminate();
      } else {
        this.#idle.push(worker);
      }
    } catch (error) {
      answer = { failure: (error as Error).message };
      this.#threads--;
      await worker?.terminate();
    }
    resolve(answer);
    this.#next();
  }

  #start(): Worker {
    // Options of node itself, such as --input-type, are meant for the program that it was started with.
    const worker = new Worker(this.#script, { resourceLimits: this.#options.resourceLimits ?? {}, execArgv: [] });
    // It may also die while nothing is asked of it.
    worker.on('error', () => {});
    worker.once('exit', () => {
      const at = this.#idle.indexOf(worker);
      if (at < 0) return;
      this.#idle.splice(at, 1);
      this.#threads--;
    });
    return worker;
  }
}

interface Job<Q, A> {
  question: Q;
  resolve: (answer: Answer<A>) => void;
  signal: AbortSignal | undefined;
}

/** The next message of a thread. */
function saidBy(worker: Worker, seconds: number, signal: AbortSignal | undefined): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      for (const [event, listener] of Object.entries(listeners)) worker.off(event, listener);
      settle();
    };
    const fail = (why: string): void => end(() => reject(new Error(why)));
    const timer = setTimeout(() => fail(`it took longer than ${seconds} s`), seconds * 1000);
    const abort = (): void => fail('it was given up');
    const listeners = {
      message: (message: unknown) => end(() => resolve(message)),
      error: (error: Error) => fail(`its thread failed: ${error.message}`),
      exit: (code: number) => fail(`its thread ended with status ${code}`),
    };
    for (const [event, listener] of Object.entries(listeners)) worker.on(event, listener);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
  });
}
