import { readFileSync, writeFileSync } from 'node:fs';

export interface Tensor {
  shape: number[];
  values: Float32Array;
}

// A few lines of its own, so that what the native half writes is read by other code than wrote it. F32 and BF16.
export function readSafetensors(file: string): Record<string, Tensor> {
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors: Record<string, Tensor> = {};
  for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const data = Uint8Array.from(bytes.subarray(8 + headerBytes + range[0], 8 + headerBytes + range[1])).buffer;
    if (dtype === 'F32') tensors[name] = { shape, values: new Float32Array(data) };
    else if (dtype === 'BF16') tensors[name] = { shape, values: widen(new Uint16Array(data)) };
    else throw new Error(`${file}: ${name} is ${dtype}`);
  }
  return tensors;
}

// bf16 is the upper half of an f32.
function widen(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

export function valuesOf(tensors: Record<string, Tensor>): Record<string, Float32Array> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { values }]) => [name, values]));
}

// F32, in the given order.
export function writeSafetensors(file: string, tensors: Record<string, Tensor>): void {
  const header: Record<string, object> = {};
  let end = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const data = Object.values(tensors).map(({ values }) =>
    Buffer.from(values.buffer, values.byteOffset, values.byteLength),
  );
  writeFileSync(file, Buffer.concat([length, json, ...data]));
}

// Writes the tensors of `from` to `to`, each moved by `scale` times its direction where it has one.
export function nudge(from: string, to: string, direction: Record<string, Float32Array>, scale: number): void {
  const tensors = readSafetensors(from);
  for (const [name, delta] of Object.entries(direction)) {
    const tensor = tensors[name];
    if (tensor === undefined) throw new Error(`${from}: no tensor ${name}`);
    delta.forEach((d, i) => {
      tensor.values[i] = (tensor.values[i] as number) + scale * d;
    });
  }
  writeSafetensors(to, tensors);
}
