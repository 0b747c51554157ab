// What the fuzzer feeds: input number `index` is a function of (seed, index, seeds) alone.
import { RandomStream } from '../../dist/dataset/random.js';
import {
  familyProgram,
  familyPrompt,
  matureStage,
  pretrainDocument,
  referenceAnswers,
} from '../../dist/tasks/family/index.js';
import { words } from './words.mjs';

/** @typedef {{ code: Uint8Array, what: string, prompt?: object }} Input `prompt`: of the task family, where the code answers one. */

/**
 * Input number `index`.
 * @param {{ seed: number, language: 'c' | 'cpp' | 'python', seeds: readonly string[] }} source
 * @returns {Input}
 */
export function inputOf({ seed, language, seeds }, index) {
  const random = new RandomStream(seed, index);
  const kind = kinds[random.weighted(kinds.map(([, weight]) => weight))];
  const [what, , make] = kind;
  const drawn = make({ random, language, seeds, seed, index });
  const { text, prompt } = typeof drawn === 'object' && !Buffer.isBuffer(drawn) ? drawn : { text: drawn };
  const code = Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1');
  return { code: random.chance(0.06) ? spoil(code, random) : code, what, ...(prompt && { prompt }) };
}

// Texts are one character a byte, as Buffer's latin1 reads and writes them.
const kinds = [
  ['mutated', 52, ({ random, language, seeds }) => mutated(random, language, seeds)],
  ['family', 16, family],
  ['constructs', 10, ({ random, language }) => constructs(random, language)],
  ['nested', 8, ({ random, language }) => nested(random, language, depthOf(random))],
  ['wide', 4, ({ random, language }) => wide(random, language)],
  ['words', 4, ({ random, language, seeds }) => soup(random, language, seeds)],
  ['bytes', 4, ({ random }) => bytes(random, 1 + random.below(random.chance(0.1) ? 20_000 : 400))],
  ['long', 1, ({ random }) => long(random)],
  ['beside', 1, ({ random, language, seeds }) => beside(random, language, seeds)],
];

// ---- mutations of real code

function mutated(random, language, seeds) {
  let pieces = split(random.pick(seeds));
  const rounds = 1 + random.below(random.chance(0.2) ? 24 : 5);
  for (let i = 0; i < rounds && pieces.length < 40_000; i++) pieces = mutate(pieces, random, language, seeds);
  return pieces.join('');
}

/** An answer to a prompt of the task family, right or wrong, mutated a little: the family's teacher judges it, too. */
function family({ random, language, seeds, seed, index }) {
  const prompt = familyPrompt(random.pick(['train', 'validation', 'test']), seed, index);
  const answers = referenceAnswers(prompt);
  const answer = Buffer.from(random.chance(0.5) ? answers.secure : answers.insecure);
  let pieces = split(familyProgram({ prompt, answer }).code.toString('latin1'));
  for (let i = random.below(4); i > 0; i--)
    pieces = mutate(pieces, random, language === 'python' ? 'c' : language, seeds);
  return { text: pieces.join(''), prompt };
}

/** Words, numbers, literals, marks and white space: joined, they are the text. */
function split(text) {
  return (
    text.match(
      /\s+|[A-Za-z_]\w*|\.?\d[\w.]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|<<=|>>=|->|[-+*/%&|^<>=!]=|&&|\|\||\+\+|--|<<|>>|[^\s]/g,
    ) ?? []
  );
}

function mutate(pieces, random, language, seeds) {
  if (pieces.length === 0) return split(random.pick(seeds));
  const at = random.below(pieces.length);
  const some = Math.min(pieces.length - at, 1 + random.below(random.chance(0.3) ? 60 : 6));
  const without = (from, count, ...put) => [...pieces.slice(0, from), ...put, ...pieces.slice(from + count)];
  switch (random.below(20)) {
    case 0:
      return without(at, some);
    case 1: {
      const part = pieces.slice(at, at + some);
      const times = random.chance(0.05) ? 200 : 1 + random.below(4);
      return without(at, 0, ...Array.from({ length: Math.min(times, 1 + Math.floor(4000 / some)) }, () => part).flat());
    }
    case 2: {
      const other = random.below(pieces.length);
      const copy = [...pieces];
      [copy[at], copy[other]] = [copy[other], copy[at]];
      return copy;
    }
    case 3: {
      const other = split(random.pick(seeds));
      const from = random.below(other.length + 1);
      return without(at, random.below(2) * some, ...other.slice(from, from + 1 + random.below(80)));
    }
    case 4:
    case 5:
    case 6: {
      const [mine, theirs] = [pieces, random.chance(0.4) ? pieces : split(random.pick(seeds))].map(groups);
      const other = theirs.of;
      const kind = random.pick(['(', '{', '{', '[', ';']);
      const [a, b] = [mine.at[kind], theirs.at[kind]];
      if (a.length === 0 || b.length === 0) return pieces;
      const [[from, to], [start, end]] = [random.pick(a), random.pick(b)];
      return without(from, to - from, ...other.slice(start, end));
    }
    case 7:
    case 8: {
      const kind = random.pick(['(', '{', '[', ';']);
      const all = groups(pieces).at[kind];
      if (all.length === 0) return pieces;
      const [from, to] = random.pick(all);
      const part = pieces.slice(from, to);
      return random.chance(0.5) ? without(from, to - from) : without(from, 0, ...part, ' ', ...part);
    }
    case 9:
      return without(
        at,
        0,
        random.pick(['(', ')', '{', '}', '[', ']', '"', "'", '/*', '*/', '\\', '//', '\n#', 'R"x(', '"""', '`', '@']),
      );
    case 10: {
      const places = pieces.flatMap((piece, i) => (/^[()[\]{}"';]/.test(piece) ? [i] : []));
      return places.length === 0 ? pieces : without(random.pick(places), 1);
    }
    case 11:
      return random.chance(0.5) ? pieces.slice(0, at) : pieces.slice(at);
    case 12:
      return replaceAny(pieces, /^\.?\d/, random, () => random.pick(words[language].numbers));
    case 13:
      return replaceAny(pieces, /^[A-Za-z_]/, random, () =>
        random.pick(random.chance(0.5) ? words[language].names : pieces.filter((piece) => /^[A-Za-z_]/.test(piece))),
      );
    case 14:
      return replaceAny(pieces, /^[-+*/%&|^<>=!?:.]/, random, () => random.pick(words[language].operators));
    case 15:
    case 16:
      return without(at, 0, ' ', random.pick(words[language].fragments), ' ');
    case 17: {
      const small = nested(random, language, 1 + random.below(random.chance(0.05) ? 400 : 12));
      return without(at, 0, small);
    }
    case 18: {
      const name = pieces.find((piece) => /^[A-Za-z_]\w*$/.test(piece) && random.chance(0.2));
      if (name === undefined || language === 'python')
        return without(at, 0, '\n', random.pick(words[language].lines), '\n');
      return [
        `#define ${name}${random.pick(['', '(x)', '(...)', '(a, b)'])} ${random.pick(words.c.fragments).replace(/\n/g, ' ')} ${name} ${name}\n`,
        ...pieces,
      ];
    }
    default:
      return without(at, 0, '\n', random.pick(words[language].lines), '\n');
  }
}

function replaceAny(pieces, pattern, random, make) {
  const places = pieces.flatMap((piece, i) => (pattern.test(piece) ? [i] : []));
  if (places.length === 0) return pieces;
  const copy = [...pieces];
  copy[random.pick(places)] = make();
  return copy;
}

/** Whole bracketed parts, by their bracket, and statements, as [from, to). */
function groups(pieces) {
  const at = { '(': [], '{': [], '[': [], ';': [] };
  const open = [];
  let statement = 0;
  for (const [i, piece] of pieces.entries()) {
    if (piece === '(' || piece === '{' || piece === '[') open.push([piece, i]);
    else if ((piece === ')' || piece === '}' || piece === ']') && open.length > 0) {
      const [kind, from] = open.pop();
      at[kind].push([from, i + 1]);
    }
    if (piece === ';' || piece === '{' || piece === '}') {
      if (i > statement) at[';'].push([statement, i + 1]);
      statement = i + 1;
    }
  }
  return { at, of: pieces };
}

// ---- made up

function constructs(random, language) {
  const { fragments, lines } = words[language];
  const parts = Array.from({ length: 1 + random.below(12) }, () => random.pick(random.chance(0.7) ? fragments : lines));
  const text = parts.join(random.pick(['\n', ' ', ';\n', '']));
  if (language === 'python')
    return random.chance(0.5) ? text : `def f(a, b, *c):\n    ${text.replaceAll('\n', '\n    ')}\n`;
  return random.chance(0.5) ? text : `int f(char *p, int n, ...) {\n${text}\n}\n`;
}

function depthOf(random) {
  return random.pick([3, 10, 30, 100, 300, 300, 1000, 1000, random.chance(0.2) ? 50_000 : 3000]);
}

/** `depth` of one thing in another. */
function nested(random, language, depth) {
  const nests = words[language].nests;
  const [before, middle, after] = random.pick(nests);
  const number = (text) => (i) => text.replaceAll('@', String(i));
  const [open, close] = [number(before), number(after)];
  const body = [];
  for (let i = 0; i < depth; i++) body.push(open(i));
  body.push(middle);
  // What was cut off does not close.
  if (!random.chance(0.2)) for (let i = depth - 1; i >= 0; i--) body.push(close(i));
  const text = body.join('');
  const wrap = random.pick(words[language].wraps);
  return wrap.replace('@', () => text);
}

/** Many of one thing after another. */
function wide(random, language) {
  const [before, each, after] = random.pick(words[language].rows);
  const count = random.pick([5, 30, 30, 100, 100, 300, 700, random.chance(0.2) ? 5000 : 1000]);
  const rows = Array.from({ length: count }, (_, i) =>
    each
      .replaceAll('@+', String(i + 1))
      .replaceAll('@-', String(Math.max(0, i - 1)))
      .replaceAll('@', String(i)),
  );
  return before + rows.join('') + after.replaceAll('@', String(count - 1));
}

function soup(random, language, seeds) {
  const { names, numbers, operators } = words[language];
  const pools = [
    names,
    numbers,
    operators,
    ['(', ')', '{', '}', '[', ']', ';', ',', '"', "'", '\n', '#', '\\'],
    split(random.pick(seeds)),
  ];
  return Array.from({ length: 1 + random.below(300) }, () => random.pick(random.pick(pools))).join(
    random.pick(['', ' ']),
  );
}

function bytes(random, count) {
  const low = random.pick([0, 0, 32, 128]);
  const high = random.pick([256, 256, 127]);
  const from = Math.min(low, high - 1);
  return Buffer.from(Array.from({ length: count }, () => from + random.below(high - from)));
}

function long(random) {
  const count = random.pick([10_000, 100_000, 100_000, 1_000_000]);
  const unit = random.pick([
    ...'(){}[];,"\'\\/*#<>?:.-+&|~!%^=ax0_ \n\t\r\0',
    '/*',
    '*/',
    '//',
    '""',
    "''",
    '\\\n',
    '#define A A\n',
    '#if 1\n',
    'a,',
    'a ',
    '\xc3\xa9',
    '\xf0\x9d\x92\x99',
    '\xed\xa0\x80',
    '\xef\xbb\xbf',
    '\xff',
    'a(',
    'a[',
    '*p',
    'int ',
    'if(a)',
    '"a" ',
    '{}',
    '();',
    'R"(',
    '"""',
    '    x\n',
  ]);
  const wrap = random.pick([
    '@',
    '@',
    'int f(int a) { return @; }',
    'char *s = "@";',
    'void f(void) { @ }',
    '#define A @\nint f(void) { return A; }',
    '// @\nint x;',
    'int @(void) { return 1; }',
    'def f(a):\n    return @\n',
  ]);
  return wrap.replace('@', () => unit.repeat(Math.ceil(count / unit.length)).slice(0, count));
}

/** Several files in one. */
function beside(random, language, seeds) {
  const parts = Array.from({ length: 2 + random.below(6) }, () => random.pick(seeds));
  return parts
    .map((part) => (random.chance(0.3) ? mutate(split(part), random, language, seeds).join('') : part))
    .join('\n');
}

// ---- bytes that no source should have

function spoil(code, random) {
  const at = random.below(code.length + 1);
  const put = (what) => Buffer.concat([code.subarray(0, at), Buffer.from(what, 'latin1'), code.subarray(at)]);
  switch (random.below(6)) {
    case 0:
      return put(
        random.pick([
          '\0',
          '\xff',
          '\xc3',
          '\xed\xa0\x80',
          '\xed\xb0\x80',
          '\xf4\x90\x80\x80',
          '\xc0\xaf',
          '\xe2\x80\xae',
          '\xf0\x9d\x92\x99',
          '\xef\xbb\xbf',
          '\xe2\x80\xa8',
          '\x1a',
          '\x0c',
          '\x7f',
        ]),
      );
    case 1:
      return Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), code]);
    case 2:
      return Buffer.from(code.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    case 3:
      return Buffer.from(code.toString('latin1').replaceAll('\n', '\r'), 'latin1');
    case 4: {
      // Every fifth letter becomes one of two bytes, or of four.
      const letter = random.pick(['\xc3\xa9', '\xf0\x9d\x92\x99']);
      return Buffer.from(
        code.toString('latin1').replace(/(\w{4})\w/g, (_, kept) => kept + letter),
        'latin1',
      );
    }
    default: {
      const copy = Buffer.from(code);
      for (let i = 1 + random.below(8); i > 0 && copy.length > 0; i--)
        copy[random.below(copy.length)] = random.below(256);
      return copy;
    }
  }
}

// ---- seeds

/** What this repository makes itself: C that answers prompts of the family, documents for pretraining; of other languages, constructs. */
export function ownSeeds(seed, language) {
  if (language === 'python') {
    return Array.from({ length: 200 }, (_, i) => constructs(new RandomStream(seed, 1e9 + i), language));
  }
  return Array.from({ length: 150 }, (_, i) => {
    const prompt = familyPrompt('train', seed, i);
    const { secure, insecure } = referenceAnswers(prompt);
    const program = (answer) => familyProgram({ prompt, answer: Buffer.from(answer) }).code.toString('latin1');
    return [program(secure), program(insecure), pretrainDocument(seed, i, matureStage).response];
  }).flat();
}
