/**
 * Answers together what is asked one at a time: the questions of one turn of the event loop that share a signal go to `answer` at once, which
 * gives an answer for each, in order.
 */
export function gathered<Q, A>(
  answer: (questions: readonly Q[], signal: AbortSignal | undefined) => Promise<readonly A[]>,
): (question: Q, signal?: AbortSignal | undefined) => Promise<A> {
  interface Asked {
    question: Q;
    resolve: (answer: A) => void;
    reject: (error: unknown) => void;
  }
  const waiting = new Map<AbortSignal | undefined, Asked[]>();
  const handOver = async (signal: AbortSignal | undefined): Promise<void> => {
    const asked = waiting.get(signal) ?? [];
    waiting.delete(signal);
    try {
      const answers = await answer(
        asked.map(({ question }) => question),
        signal,
      );
      for (const [i, { resolve }] of asked.entries()) resolve(answers[i] as A);
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  };
  return (question, signal) =>
    new Promise((resolve, reject) => {
      const asked = waiting.get(signal) ?? [];
      if (asked.length === 0) setImmediate(() => void handOver(signal));
      waiting.set(signal, [...asked, { question, resolve, reject }]);
    });
}
