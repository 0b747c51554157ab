/** Does the works, at most `limit` at once, and hands over each result as it comes. The first failure is thrown. */
export async function inParallel<T>(
  works: readonly (() => Promise<T>)[],
  limit: number,
  take: (result: T) => void = () => {},
): Promise<void> {
  const rest = works.values();
  await Promise.all(
    Array.from({ length: Math.min(limit, works.length) }, async () => {
      for (const work of rest) take(await work());
    }),
  );
}
