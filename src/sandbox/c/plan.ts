/** A piece of memory that a call is given. What it does not begin with is `fill`. */
export interface CallObject {
  /** `end` and `start`: memory right after it, or right before it, cannot be touched. `heap`: a block of the heap. */
  kind: 'end' | 'start' | 'heap';
  /** In bytes. */
  size: number;
  bytes?: Uint8Array | undefined;
  /** So many bytes at its beginning are `bytes` over and over. */
  repeated?: number | undefined;
  /** A byte; default 0. */
  fill?: number | undefined;
  /** Its bytes after the call are not reported. */
  untold?: boolean | undefined;
}

/** An argument, in a register or stack slot of 64 bits: a number, the address of an object, or a stream of its bytes. */
export type CallArgument = { number: bigint } | { address: number } | { stream: number };

/** One call of a function. Objects are named by their place in the list. */
export interface Call {
  objects: readonly CallObject[];
  /** Pointers from one object into another's beginning. */
  links?: readonly { object: number; offset: number; target: number }[];
  args: readonly CallArgument[];
  /** Allocations from this number on fail (0 is the first one). */
  failFrom?: number | undefined;
  /** What there is to be opened, by name. */
  files?: Readonly<Record<string, Uint8Array>> | undefined;
  /** Pointers to follow after the call, each for `most` bytes. */
  watches?: readonly { object: number; offset: number; most: number }[];
}

/** Calls that are made one after another in one process. */
export interface Case {
  calls: readonly Call[];
  /** Memory has room to spare on both sides, and blocks are never given back: whether the code works is the only question. */
  lenient?: boolean;
}

/** A program, and what to call of it. A row's cases end with the first that takes too long. */
export interface CallRow {
  /** A shared object whose entry point is a pointer to the function. */
  library: Uint8Array;
  cases: readonly Case[];
}

/** What a pointer led to. `block`: a live block of the heap, of `size` bytes. */
export interface Watched {
  kind: 'null' | 'block' | 'freed' | 'elsewhere' | 'unreadable';
  size: number;
  bytes: Buffer;
}

/** What one call left behind. All but `intact` and `objects` the process said itself. */
export interface CallReport {
  /** The bytes of the objects that are not on the heap, in their order, but those that are untold. */
  objects: Buffer[];
  /** Nothing was written on the objects' pages but in the objects. */
  intact: boolean;
  /** The result, as an int. */
  result: number;
  events: { name: string; text: string }[];
  printed: string;
  watches: Watched[];
  /** Of the objects on the heap, in their order: whether they were freed. */
  freed: boolean[];
  /** Streams that were opened and not closed. */
  open: number;
}

/** How a process ended. `died`: before its calls had all returned; `waited`: it slept without end. */
export type CaseEnd = 'ended' | 'died' | 'ran out' | 'waited' | 'unloadable';

export interface CaseReport {
  /** Of the calls that returned. */
  calls: CallReport[];
  end: CaseEnd;
  /** As wait(2) gives it. */
  status: number;
  /** The beginning of what it wrote to standard error, where sanitizers report. */
  errors: Buffer;
  /** For each block of the heap that is left: the number of the call that made it. */
  leftovers: number[];
}

const ends: readonly CaseEnd[] = ['ended', 'died', 'ran out', 'waited', 'unloadable'];
const objectKinds: readonly CallObject['kind'][] = ['end', 'start', 'heap'];
const watchKinds: readonly Watched['kind'][] = ['null', 'block', 'freed', 'elsewhere', 'unreadable'];
const none = 0xffffffff;
const nothing = new Uint8Array();

/** The rows as the driver reads them (assets/driver/protocol.h). */
export function encodePlan(rows: readonly CallRow[]): Buffer {
  const out = new Writer();
  out.number(rows.length);
  for (const [i, { library, cases }] of rows.entries()) {
    out.number(i);
    out.bytes(library);
    out.number(cases.length);
    for (const { calls, lenient = false } of cases) {
      out.number(lenient ? 1 : 0);
      out.number(calls.length);
      for (const call of calls) out.bytes(encodeCall(call));
    }
  }
  return out.whole();
}

function encodeCall({ objects, links = [], args, failFrom = none, files = {}, watches = [] }: Call): Buffer {
  const out = new Writer();
  out.number(objects.length);
  for (const { kind, size, bytes = nothing, repeated = 0, fill = 0, untold = false } of objects) {
    out.number(objectKinds.indexOf(kind) | (untold ? 0x100 : 0));
    out.number(size);
    out.number(fill);
    out.bytes(bytes);
    out.number(repeated);
  }
  out.number(links.length);
  for (const { object, offset, target } of links) for (const value of [object, offset, target]) out.number(value);
  out.number(args.length);
  for (const arg of args) {
    const kind = 'number' in arg ? 0 : 'address' in arg ? 1 : 2;
    out.number(kind);
    out.wide('number' in arg ? arg.number : BigInt('address' in arg ? arg.address : arg.stream));
  }
  out.number(failFrom);
  out.number(Object.keys(files).length);
  for (const [name, content] of Object.entries(files)) {
    out.bytes(Buffer.from(name, 'latin1'));
    out.bytes(content);
  }
  out.number(watches.length);
  for (const { object, offset, most } of watches) for (const value of [object, offset, most]) out.number(value);
  return out.whole();
}

/**
 * Reads the driver's report. Cases of a row that were not run are left out.
 * @returns the cases of each row, or why the driver did not come to its end, which says nothing of the rows.
 */
export function decodeReport(report: Buffer, rows: readonly CallRow[]): CaseReport[][] | { fault: string } {
  const from = new Reader(report);
  const cases: CaseReport[][] = rows.map(() => []);
  try {
    for (;;) {
      const word = from.take(4).toString('latin1');
      if (word === 'done') return cases;
      if (word === 'fail') return { fault: from.bytes().toString('latin1') };
      if (word !== 'case') return { fault: 'the report makes no sense' };
      const [row, number] = [from.number(), from.number()];
      const calls = rows[row]?.cases[number]?.calls;
      if (calls === undefined) return { fault: 'the report is on something else' };
      cases[row]?.push(readCase(from, calls));
    }
  } catch (error) {
    if (error instanceof RangeError) return { fault: 'the report is cut off' };
    throw error;
  }
}

function readCase(from: Reader, calls: readonly Call[]): CaseReport {
  const said: (CallReport | undefined)[] = [];
  while (from.number() === 1) {
    const own = from.bytes();
    const intact = from.number() === 1;
    const objects = Array.from({ length: from.number() }, () => from.bytes());
    const call = calls[said.length];
    said.push(call && readCall(own, call, { intact, objects }));
  }
  const end = ends[from.number()] ?? 'died';
  const [status, errors, last] = [from.number(), from.bytes(), from.bytes()];
  // What the process itself says may be anything. What makes no sense is no report.
  const bad = said.indexOf(undefined);
  const sound = said.slice(0, bad < 0 ? undefined : bad) as CallReport[];
  const leftovers = tolerant(last, (words) => Array.from({ length: words.few(16384) }, () => words.number()));
  const whole = bad < 0 && (end !== 'ended' || leftovers !== undefined);
  return { calls: sound, end: whole ? end : 'died', status, errors, leftovers: leftovers ?? [] };
}

function readCall(own: Buffer, call: Call, seen: Pick<CallReport, 'intact' | 'objects'>): CallReport | undefined {
  return tolerant(own, (words) => {
    const result = words.wide();
    const events = Array.from({ length: words.few(65536) }, () => ({ name: words.text(), text: words.text() }));
    const printed = words.text();
    const watches = Array.from({ length: words.few(64) }, (): Watched => {
      const kind = watchKinds[words.number()];
      if (kind === undefined) throw new RangeError();
      return { kind, size: words.number(), bytes: words.bytes() };
    });
    const heap = call.objects.filter(({ kind }) => kind === 'heap');
    const freed = heap.map(() => words.number() === 1);
    const open = words.number() | 0;
    if (watches.length !== (call.watches ?? []).length) throw new RangeError();
    return { ...seen, result: Number(BigInt.asIntN(32, result)), events, printed, watches, freed, open };
  });
}

function tolerant<T>(bytes: Buffer, read: (from: Reader) => T): T | undefined {
  try {
    return read(new Reader(bytes));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

class Writer {
  #to = Buffer.allocUnsafe(4096);
  #length = 0;

  number(value: number): void {
    this.#length = this.#room(4).writeUInt32LE(value >>> 0, this.#length);
  }

  wide(value: bigint): void {
    this.#length = this.#room(8).writeBigUInt64LE(BigInt.asUintN(64, value), this.#length);
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.#room(bytes.length).set(bytes, this.#length);
    this.#length += bytes.length;
  }

  whole(): Buffer {
    return this.#to.subarray(0, this.#length);
  }

  #room(bytes: number): Buffer {
    if (this.#length + bytes > this.#to.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
      this.#to.copy(larger, 0, 0, this.#length);
      this.#to = larger;
    }
    return this.#to;
  }
}

/** Throws RangeError at the end of the bytes. */
class Reader {
  readonly #from: Buffer;
  #at = 0;

  constructor(from: Buffer) {
    this.#from = from;
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#from.length) throw new RangeError();
    this.#at += length;
    return this.#from.subarray(this.#at - length, this.#at);
  }

  number(): number {
    return this.take(4).readUInt32LE();
  }

  few(most: number): number {
    const value = this.number();
    if (value > most) throw new RangeError();
    return value;
  }

  wide(): bigint {
    return this.take(8).readBigInt64LE();
  }

  bytes(): Buffer {
    return this.take(this.number());
  }

  text(): string {
    return this.bytes().toString('latin1');
  }
}
