/**
 * Runs a task for every item at once. When one fails the others are told to stop, and have stopped when its error is thrown: nothing goes
 * on behind a failure.
 */
export async function together<T, R>(
  items: readonly T[],
  signal: AbortSignal | undefined,
  task: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const stop = new AbortController();
  const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const settled = await Promise.allSettled(
    items.map(async (item) => {
      try {
        return await task(item, either);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }),
  );
  stop.signal.throwIfAborted();
  return settled.map((result) => (result as PromiseFulfilledResult<R>).value);
}
