interface Asked<Q, A> {
  question: Q;
  signal: AbortSignal | undefined;
  resolve: (answer: A) => void;
  reject: (error: unknown) => void;
}

/**
 * Answers together what is asked one at a time: the questions of one turn of the event loop go to `answer` at once, which gives an answer for
 * each, in order. Its signal is aborted when all who asked have been.
 */
export function gathered<Q, A>(
  answer: (questions: readonly Q[], signal: AbortSignal) => Promise<readonly A[]>,
): (question: Q, signal?: AbortSignal | undefined) => Promise<A> {
  let waiting: Asked<Q, A>[] = [];
  const handOver = async (): Promise<void> => {
    const asked = waiting;
    waiting = [];
    const stop = new AbortController();
    const abort = (): void => {
      if (asked.every(({ signal }) => signal?.aborted)) stop.abort(asked[0]?.signal?.reason);
    };
    for (const { signal } of asked) signal?.addEventListener('abort', abort);
    abort();
    const questions = asked.map(({ question }) => question);
    try {
      const answers = await answer(questions, stop.signal);
      for (const [i, { signal, resolve, reject }] of asked.entries()) {
        if (signal?.aborted) reject(signal.reason);
        else resolve(answers[i] as A);
      }
    } catch (error) {
      for (const { signal, reject } of asked) reject(signal?.aborted ? signal.reason : error);
    } finally {
      for (const { signal } of asked) signal?.removeEventListener('abort', abort);
    }
  };
  return (question, signal) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(() => void handOver());
      waiting.push({ question, signal, resolve, reject });
    });
}
