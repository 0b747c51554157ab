import { closeSync, writeSync } from 'node:fs';
import { openOwn } from '../files.js';

/** Writes f32 tensors as a safetensors file: header length (u64), JSON header, data in the header's order. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array }>,
): void {
  let offset = 0;
  const entries = [...tensors].map(([name, { shape, data }]) => {
    const entry = [name, { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }] as const;
    offset += data.byteLength;
    return entry;
  });
  const text = JSON.stringify(Object.fromEntries(entries));
  const header = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = openOwn(path, 'replace');
  try {
    writeSync(file, length);
    writeSync(file, header);
    for (const { data } of tensors.values()) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    }
  } finally {
    closeSync(file);
  }
}
