export interface Distance {
  mean: number;
  max: number;
}

// |actual - expected|, with NaN counted as infinitely far.
export function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): Distance {
  let sum = 0;
  let max = 0;
  for (let i = 0; i < expected.length; i++) {
    const apart = Math.abs((actual[i] ?? Number.NaN) - (expected[i] as number));
    const d = Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart;
    sum += d;
    max = Math.max(max, d);
  }
  return { mean: sum / Math.max(1, expected.length), max };
}

export function largest(values: ArrayLike<number>): number {
  let max = 0;
  for (let i = 0; i < values.length; i++) max = Math.max(max, Math.abs(values[i] as number));
  return max;
}

// Throws with the first mismatches, how many there are, and how far the worst is.
export function expectClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${what}: expected ${expected.length} values, received ${actual.length}`);
  }
  const off: number[] = [];
  for (let i = 0; i < expected.length; i++) {
    if (!(Math.abs((actual[i] as number) - (expected[i] as number)) <= tolerance)) off.push(i);
  }
  if (off.length === 0) return;
  const { max } = distance(actual, expected);
  const first = off.slice(0, 4).map((i) => `[${i}] ${actual[i]} for ${expected[i]}`);
  throw new Error(
    `${what}: ${off.length} of ${expected.length} values are further than ${tolerance} off, at most ${max}: ${first.join(', ')}`,
  );
}

// As expectClose for every tensor, each measured against its own largest value; no tensor may be missing or extra.
export function expectTensorsClose(
  what: string,
  actual: Record<string, ArrayLike<number>>,
  expected: Record<string, ArrayLike<number>>,
  relative: number,
): void {
  const names = Object.keys(expected).sort();
  const received = Object.keys(actual).sort();
  if (names.join() !== received.join()) {
    const missing = names.filter((name) => !(name in actual));
    const extra = received.filter((name) => !(name in expected));
    throw new Error(`${what}: missing ${missing.join(', ') || 'none'}; unexpected ${extra.join(', ') || 'none'}`);
  }
  for (const name of names) {
    const values = expected[name] as ArrayLike<number>;
    expectClose(`${what}: ${name}`, actual[name] as ArrayLike<number>, values, relative * largest(values));
  }
}

export function concat(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
