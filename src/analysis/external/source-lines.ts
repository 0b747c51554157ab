import type { Span } from '../../teacher/teacher.js';
import { replaceInvalid } from '../../utf8.js';

/** What a tool counts columns in: `utf16` is SARIF's default. */
export type ColumnUnit = 'bytes' | 'codePoints' | 'utf16';

/** Lines and columns from 1; the end is exclusive, and absent where the tool points at a place. */
export interface Region {
  startLine: number;
  startColumn: number;
  endLine?: number | undefined;
  endColumn?: number | undefined;
}

/** The lines of a source: regions of it to UTF-8 bytes and back. */
export class SourceLines {
  readonly #code: Uint8Array;
  readonly #starts: number[] = [0];
  /** How many units there are before each block of bytes. */
  readonly #units: { codePoints?: number[]; utf16?: number[] } = {};

  constructor(code: Uint8Array) {
    this.#code = replaceInvalid(code);
    for (const [i, byte] of code.entries()) if (byte === newline) this.#starts.push(i + 1);
  }

  /** The line, from 1, of a byte. */
  lineOf(byte: number): number {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] as number) <= byte) low = middle;
      else high = middle;
    }
    return low + 1;
  }

  /** The text of a line, without the white space around it. */
  line(line: number): Span {
    const start = this.#starts[line - 1] ?? this.#code.length;
    const bytes = this.#code.subarray(start, this.#starts[line]);
    const indent = bytes.findIndex((byte) => !isSpace(byte));
    const length = bytes.findLastIndex((byte) => !isSpace(byte)) + 1 - indent;
    return indent >= 0 ? { start: start + indent, end: start + indent + length } : this.#wordAt(start);
  }

  /** A span as lines and columns of code points. */
  region({ start, end }: Span): Required<Region> {
    const [startLine, endLine] = [this.lineOf(start), this.lineOf(end)];
    return {
      startLine,
      startColumn: this.#column(startLine, start),
      endLine,
      endColumn: this.#column(endLine, end),
    };
  }

  /**
   * The bytes of a region. What lies outside the text is moved into it; a place becomes the word that begins there, or the one character: no
   * span is empty unless the text is.
   */
  span({ startLine, startColumn, endLine = startLine, endColumn }: Region, unit: ColumnUnit): Span {
    const start = this.#byteAt(startLine, startColumn, unit);
    const end = endColumn === undefined ? start : this.#byteAt(endLine, endColumn, unit);
    return end > start ? { start, end } : this.#wordAt(start);
  }

  #byteAt(line: number, column: number, unit: ColumnUnit): number {
    if (line > this.#starts.length) return this.#code.length;
    const start = this.#starts[Math.max(0, line - 1)] as number;
    const end = this.#starts[line] ?? this.#code.length;
    const units = this.#unitsBefore(start, unit) + column - 1;
    // The last block before which there are less, then byte by byte: a line may be all of a text.
    let low = start >> blockBits;
    let high = (end >> blockBits) + 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#unitsBefore(middle << blockBits, unit) < units) low = middle;
      else high = middle;
    }
    let at = Math.max(start, low << blockBits);
    let before = this.#unitsBefore(at, unit);
    while (at < end && (before < units || isContinuation(this.#code[at]))) {
      before += unitsOf(this.#code[at] as number, unit);
      at++;
    }
    return at;
  }

  #column(line: number, byte: number): number {
    return (
      this.#unitsBefore(byte, 'codePoints') - this.#unitsBefore(this.#starts[line - 1] as number, 'codePoints') + 1
    );
  }

  #unitsBefore(byte: number, unit: ColumnUnit): number {
    if (unit === 'bytes') return byte;
    let blocks = this.#units[unit];
    if (blocks === undefined) {
      blocks = [];
      let sum = 0;
      for (let at = 0; at <= this.#code.length; at++) {
        if ((at & ((1 << blockBits) - 1)) === 0) blocks.push(sum);
        if (at < this.#code.length) sum += unitsOf(this.#code[at] as number, unit);
      }
      this.#units[unit] = blocks;
    }
    let units = blocks[byte >> blockBits] as number;
    for (let at = (byte >> blockBits) << blockBits; at < byte; at++) units += unitsOf(this.#code[at] as number, unit);
    return units;
  }

  #wordAt(place: number): Span {
    // A place behind the text is that of its last character.
    const start = place < this.#code.length ? place : this.#before(this.#code.length);
    let end = start;
    while (isWord(this.#code[end])) end++;
    return { start, end: end > start ? end : Math.min(this.#next(start), this.#code.length) };
  }

  #next(at: number): number {
    let next = at + 1;
    while (isContinuation(this.#code[next])) next++;
    return next;
  }

  #before(at: number): number {
    let before = Math.max(0, at - 1);
    while (isContinuation(this.#code[before])) before--;
    return before;
  }
}

const blockBits = 8;
const newline = 0x0a;
/** What a byte adds to a column: the first one of a character stands for it. */
const unitsOf = (byte: number, unit: ColumnUnit): number =>
  unit === 'bytes' ? 1 : (byte & 0xc0) === 0x80 ? 0 : unit === 'utf16' && byte >= 0xf0 ? 2 : 1;
const isContinuation = (byte: number | undefined): boolean => byte !== undefined && (byte & 0xc0) === 0x80;
const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
const isWord = (byte: number | undefined): boolean => byte !== undefined && /\w/.test(String.fromCharCode(byte));
