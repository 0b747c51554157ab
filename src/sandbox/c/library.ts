/** What a shared object, as the linker wrote it, would do when it is loaded. */
export interface LibraryFacts {
  /** Bytes of memory that it takes. */
  memory: number;
  /** Functions that run when it is loaded or unloaded, before and after any call. */
  initialisers: number;
}

/** Reads the program headers and the dynamic section of a 64-bit ELF file. undefined: it is none. */
export function libraryFacts(file: Buffer): LibraryFacts | undefined {
  try {
    if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1) return undefined;
    const [table, size, count] = [number(file, 32), file.readUInt16LE(54), file.readUInt16LE(56)];
    let memory = 0;
    let initialisers = 0;
    for (let i = 0; i < count; i++) {
      const at = table + i * size;
      const type = file.readUInt32LE(at);
      if (type === load) memory += number(file, at + 40);
      if (type === dynamic) initialisers += initialisersIn(file, number(file, at + 8), number(file, at + 32));
    }
    return { memory, initialisers };
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

// Types of segments, and tags of the dynamic section (System V ABI).
const load = 1;
const dynamic = 2;
const sizeTags: ReadonlySet<number> = new Set([27, 28, 33]); // DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ, DT_PREINIT_ARRAYSZ
const functionTags: ReadonlySet<number> = new Set([12, 13]); // DT_INIT, DT_FINI

function initialisersIn(file: Buffer, start: number, length: number): number {
  let found = 0;
  for (let at = start; at < start + length; at += 16) {
    const tag = number(file, at);
    if (tag === 0) break;
    if (functionTags.has(tag)) found++;
    if (sizeTags.has(tag)) found += number(file, at + 8) / 8;
  }
  return found;
}

function number(file: Buffer, at: number): number {
  return Number(file.readBigUInt64LE(at));
}
