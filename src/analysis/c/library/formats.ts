import type { IntType, Pointer } from '../values.js';
import { wrapped } from '../values.js';
import { type Call, string } from './call.js';

/** What a format with its arguments says. Traps on directives that come from outside. */
export function formatted(call: Call, at: number): string {
  const { machine, node, args } = call;
  const format = string(call, at);
  const written = (args[at] as Pointer).memory?.literal === true;
  if (!written && format.includes('%')) return machine.trap(node, 'format from outside');
  let next = at + 1;
  const out: string[] = [];
  let from = 0;
  for (const match of format.matchAll(directive)) {
    out.push(format.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[0] === '%%') {
      out.push('%');
      continue;
    }
    const { flags, width, precision, length, kind } = match.groups as Record<string, string | undefined>;
    const wide = width === '*' ? star(call, next++) : Number(width || 0);
    const exact = precision === undefined ? undefined : precision === '*' ? star(call, next++) : Number(precision || 0);
    const least = Math.abs(wide);
    const left = wide < 0 || flags?.includes('-') === true;
    if (least > mostWidth) return machine.unknown(node, 'a wide directive');
    const shown =
      kind === 's' && length === undefined
        ? string(call, next, exact !== undefined && exact >= 0 ? exact : undefined)
        : numeric(call, next, kind ?? '', length ?? '', flags ?? '', exact, left ? 0 : least);
    next++;
    out.push(left ? shown.padEnd(least) : shown.padStart(least));
    machine.touch(least);
  }
  if (format.slice(from).includes('%')) return machine.unknown(node, 'this format');
  out.push(format.slice(from));
  return out.join('');
}

const directive =
  /%%|%(?<flags>[-+ 0#]*)(?<width>\*|\d*)(?:\.(?<precision>\*|-?\d*))?(?<length>hh|h|ll|l|z|j|t)?(?<kind>[a-zA-Z])/g;

const mostWidth = 4096;

const bitsOf: Readonly<Record<string, IntType['bits']>> = { hh: 8, h: 16, '': 32, l: 64, ll: 64, z: 64, j: 64, t: 64 };

function star({ machine, node, args }: Call, at: number): number {
  const value = args[at];
  return typeof value === 'bigint'
    ? Number(wrapped(value, { kind: 'int', bits: 32, signed: true }))
    : machine.unknown(node, 'a width that is not known');
}

function numeric(
  { machine, node, args, types }: Call,
  at: number,
  kind: string,
  length: string,
  flags: string,
  precision: number | undefined,
  least: number,
): string {
  const [value, type] = [args[at], types[at]];
  const bits = bitsOf[length] as IntType['bits'];
  if (
    !'diucxXo'.includes(kind) ||
    typeof value !== 'bigint' ||
    type?.kind !== 'int' ||
    (bits === 64) !== (type.bits === 64)
  )
    return machine.unknown(node, 'this format');
  if (kind === 'c') return String.fromCharCode(Number(value & 0xffn));
  const signed = kind === 'd' || kind === 'i';
  const held = wrapped(value, { kind: 'int', bits, signed });
  const base = kind === 'o' ? 8 : kind === 'x' || kind === 'X' ? 16 : 10;
  let digits = (held < 0n ? -held : held).toString(base);
  if (kind === 'X') digits = digits.toUpperCase();
  if (flags.includes('#') && base !== 10) return machine.unknown(node, 'this format');
  const sign = held < 0n ? '-' : signed && flags.includes('+') ? '+' : signed && flags.includes(' ') ? ' ' : '';
  if (precision !== undefined && precision >= 0) {
    if (precision > mostWidth) return machine.unknown(node, 'a wide directive');
    digits = precision === 0 && held === 0n ? '' : digits.padStart(precision, '0');
  } else if (flags.includes('0')) digits = digits.padStart(least - sign.length, '0');
  return sign + digits;
}
