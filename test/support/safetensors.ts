import { readFileSync, writeFileSync } from 'node:fs';

/** The f32 tensors of a safetensors file: a second, independent reader for the tests. */
export function readTensors(file: string): Record<string, { shape: number[]; data: Float32Array }> {
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
  const out: Record<string, { shape: number[]; data: Float32Array }> = {};
  for (const [name, entry] of Object.entries<{ dtype: string; shape: number[]; data_offsets: [number, number] }>(
    header,
  )) {
    if (name === '__metadata__') continue;
    if (entry.dtype !== 'F32') throw new Error(`${file}: ${name} is ${entry.dtype}`);
    const [begin, end] = entry.data_offsets;
    const copy = Uint8Array.from(bytes.subarray(8 + length + begin, 8 + length + end));
    out[name] = { shape: entry.shape, data: new Float32Array(copy.buffer) };
  }
  return out;
}

/** Adds `scale · direction[name]` to the f32 tensors of a file, in place. */
export function nudgeTensors(from: string, to: string, direction: Record<string, Float32Array>, scale: number): void {
  const bytes = readFileSync(from);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8'));
  for (const [name, delta] of Object.entries(direction)) {
    const offset = 8 + length + header[name].data_offsets[0];
    delta.forEach((d, i) => {
      bytes.writeFloatLE(bytes.readFloatLE(offset + 4 * i) + scale * d, offset + 4 * i);
    });
  }
  writeFileSync(to, bytes);
}
