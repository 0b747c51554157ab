/**
 * A permutation of 0 … n-1 that is a function of (n, seed, stream) alone: nothing has to be saved to resume but counters.
 * Fisher–Yates with the SFC32 generator, seeded through MurmurHash3's finaliser; bounded numbers by rejection, so without bias.
 */
export function permutation(n: number, seed: number, stream: number): Uint32Array {
  const next = sfc32(seed, stream);
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1, next);
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return order;
}

function below(bound: number, next: () => number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  for (;;) {
    const value = next();
    if (value < limit) return value % bound;
  }
}

function sfc32(seed: number, stream: number): () => number {
  let a = mix(seed >>> 0);
  let b = mix(Math.floor(seed / 2 ** 32) ^ 0x9e3779b9);
  let c = mix(stream ^ 0x85ebca6b);
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + out;
    return out >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
