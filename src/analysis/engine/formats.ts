import type { CNode } from '../c/syntax.js';
import type { CallEvent } from './rule.js';
import { partsOfAll } from './symbols.js';
import { fill, sum } from './texts.js';
import { charType, intType, sizeType } from './types.js';
import { characterSet, type Range, Source, type State, type Value } from './values.js';
import type { Walk } from './walk.js';

/** One `%` of a format. */
export interface Conversion {
  readonly letter: string;
  readonly width: number | null;
  readonly precision: number | null;
  /** `*` takes an argument. */
  readonly stars: number;
  readonly suppressed: boolean;
  readonly modifier: string;
}

/** What a format converts, in order; `scanning` where it is one of scanf's. */
export function conversions(format: string, scanning = false): Conversion[] {
  const found: Conversion[] = [];
  const pattern =
    /%(%|([-+ #0']*)(\*|[1-9]\d*)?(?:\.(\*|\d+)?)?(hh|h|ll|l|q|j|z|t|L)?(\[\^?\]?[^\]]{0,300}\]|[a-zA-Z]))/g;
  for (const match of format.matchAll(pattern)) {
    if (match[1] === '%') continue;
    const [, , , width, precision, modifier = '', letter = ''] = match as unknown as (string | undefined)[];
    found.push({
      letter: letter[0] as string,
      width: width === undefined || width === '*' ? null : Number(width),
      precision: precision === undefined || precision === '*' ? null : Number(precision),
      stars: scanning ? 0 : (width === '*' ? 1 : 0) + (precision === '*' ? 1 : 0),
      suppressed: scanning && width === '*',
      modifier,
    });
  }
  return found;
}

/** A call of scanf or its like: input gets to what its arguments lead to. */
export function scan(walk: Walk, { node, name, arguments: args, state }: CallEvent, formatAt: number): Value {
  const format = args[formatAt] === undefined ? undefined : walk.stringOf((args[formatAt] as { node: CNode }).node);
  let at = formatAt + 1;
  for (const { letter, width, suppressed } of format === undefined ? [] : conversions(format, true)) {
    if (suppressed) continue;
    const target = args[at++]?.value;
    if (target === undefined) continue;
    const region = target.targets[0]?.region;
    if (/[s[]/.test(letter)) fill(walk, target, state, { lo: 0, hi: width ?? Infinity });
    else if (region !== undefined) {
      const digits = width === null ? null : 10 ** Math.min(width, 18);
      const type = region.type.kind === 'array' ? region.type.of : region.type;
      const range =
        digits === null || !/[diu]/.test(letter)
          ? undefined
          : { lo: letter === 'u' ? 0 : -(digits / 10) + 1, hi: digits - 1 };
      const value = walk.fresh(type, Source.input, range && { range });
      if (region.kind === 'heap' || region.type.kind === 'array') {
        state.store.set(`${region.id}[]`, value);
        for (const key of [...state.store.keys()])
          if (key.startsWith(`${region.id}[`) && key !== `${region.id}[]`) state.store.delete(key);
      } else state.store.set(region.id, value);
    }
  }
  if (format === undefined) walk.escape(args.slice(at), state);
  return walk.fresh(intType, Source.own, { range: { lo: -1, hi: 64 }, origin: { node, callee: name } });
}

/** The longest text that a format gives, and what goes into it. */
export function formatted(
  walk: Walk,
  format: string,
  args: readonly { value: Value }[],
  state: State,
): { length: Range; parts: Value[] } {
  let { lo, hi } = { lo: 0, hi: 0 };
  const parts: Value[] = [];
  const literalLength = format.replace(
    /%(%|[-+ #0']*(?:\*|[1-9]\d*)?(?:\.(?:\*|\d+)?)?(?:hh|h|ll|l|q|j|z|t|L)?[a-zA-Z])/g,
    (all) => (all === '%%' ? '%' : ''),
  ).length;
  lo += literalLength;
  hi += literalLength;
  let at = 0;
  for (const { letter, width, precision, stars } of conversions(format)) {
    at += stars;
    const value = args[at++]?.value;
    if (letter === 's') {
      const length = value === undefined ? { lo: 0, hi: Infinity } : walk.range(walk.length(value, state), state.facts);
      const most = Math.min(length.hi, precision ?? Infinity);
      lo += Math.max(width ?? 0, Math.min(length.lo, most));
      hi += Math.max(width ?? 0, most);
      if (value !== undefined) parts.push(walk.content(value, state));
    } else {
      const digits = value === undefined ? { lo: -(2 ** 63), hi: 2 ** 63 } : walk.range(value.number, state.facts);
      const bytes = value?.type.kind === 'int' ? value.type.bytes : 8;
      const most =
        letter === 'c'
          ? 1
          : /[xX]/.test(letter)
            ? hexadecimal(digits, bytes)
            : /[fFgGeE]/.test(letter)
              ? 330
              : letter === 'p'
                ? 18
                : decimal(digits);
      lo += Math.max(width ?? 0, 1);
      hi += Math.max(width ?? 0, most);
      if (value === undefined) continue;
      if (letter === 'c') parts.push(value);
      else if (value.source !== Source.own) {
        const digits = walk.fresh(charType, value.source);
        state.facts.allow(digits.number.symbol, numerals);
        parts.push(digits);
      }
    }
  }
  return { length: { lo, hi }, parts };
}

const numerals: bigint = characterSet((code) => /[0-9a-fA-FxX.+]/.test(String.fromCharCode(code)));

function decimal({ lo, hi }: Range): number {
  const digits = (value: number): number => (Number.isFinite(value) ? String(Math.trunc(value)).length : 20);
  return Math.max(digits(lo), digits(hi));
}

function hexadecimal({ lo, hi }: Range, bytes: number): number {
  return lo >= 0 && Number.isFinite(hi) ? Math.max(1, Math.trunc(hi).toString(16).length) : bytes * 2;
}

/** A call of sprintf, or of snprintf where it is `bounded`: what its buffer holds behind it. */
export function print(walk: Walk, { node, name, arguments: args, state }: CallEvent, bounded: boolean): Value {
  const [buffer, size] = [args[0]?.value, bounded ? args[1]?.value : undefined];
  const formatNode = args[bounded ? 2 : 1];
  const format =
    formatNode === undefined
      ? undefined
      : (walk.stringOf(formatNode.node) ?? walk.content(formatNode.value, state).literalText);
  const rest = args.slice(bounded ? 3 : 2);
  const { length, parts } =
    format === undefined || name.startsWith('v')
      ? {
          length: { lo: 0, hi: Infinity },
          parts: [
            ...(formatNode === undefined ? [] : [walk.content(formatNode.value, state)]),
            ...rest.map(({ value }) => value),
          ],
        }
      : formatted(walk, format, rest, state);
  const most = size === undefined ? Infinity : walk.range(size.number, state.facts).hi - 1;
  const origin = { node, callee: name };
  const result = walk.fresh(intType, Source.own, { range: { lo: -1, hi: length.hi }, origin });
  const [target] = buffer?.targets ?? [];
  if (target !== undefined) {
    const source = Math.max(0, ...parts.map((part) => part.source)) as Source;
    const written = walk.fresh(sizeType, Source.own, {
      range: { lo: Math.min(length.lo, most), hi: Math.min(length.hi, most) },
    });
    walk.setText(
      target.region,
      {
        source,
        parts: partsOfAll(parts),
        length: sum(walk, written.number, target.offset, state),
        ...(format !== undefined && !format.includes('%') && { text: format }),
      },
      state,
    );
    const kept = state.store.get(`${target.region.id}[]`);
    if (size !== undefined && length.hi > most && kept !== undefined)
      state.store.set(`${target.region.id}[]`, { ...kept, cut: { written: result.number, room: size.number, origin } });
  }
  return result;
}
