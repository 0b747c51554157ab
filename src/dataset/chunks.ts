/** Splits rows into runs of at most `tokens` tokens (one row at least), in order, so that memory stays flat. */
export function chunks<T>(rows: readonly T[], tokens: number, length: (row: T) => number): T[][] {
  const out: T[][] = [];
  let room = 0;
  for (const row of rows) {
    if (length(row) > room || out.length === 0) {
      out.push([]);
      room = tokens;
    }
    out.at(-1)?.push(row);
    room -= length(row);
  }
  return out;
}
