import { SrcodeError } from '../errors.js';
import { ByteLevelBpe } from './bpe.js';
import { BYTE_TO_CHAR } from './byte-alphabet.js';
import { CODE_SPLIT } from './code-split.js';
import { LibraryTokenizer, SequencePreTokenizer } from './library.js';
import { patternGuard } from './pattern-budget.js';
import { flatten, type TokenizerFile } from './tokenizer-file.js';

/** Text → ids for one tokenizer.json. */
export interface Encoder {
  encode(text: string, parseSpecialTokens: boolean): Int32Array;
  /** What the post-processor puts round one text. */
  readonly template: { prefix: Int32Array; suffix: Int32Array };
}

/**
 * The library can encode with any tokenizer.json that we accept. Byte-level files with nothing unusual (Qwen, Llama 3, DeepSeek, our
 * own) take a shorter way of the same result: its normalizer and its splits, then our BPE with a cache of words.
 */
export function createEncoder(file: TokenizerFile, config: Record<string, unknown>, where: string): Encoder {
  const { normalizer, pre_tokenizer: preTokenizer, post_processor: postProcessor, decoder } = file.json;
  const guard = patternGuard([normalizer, preTokenizer, postProcessor, decoder], quick, where);
  if (guard === undefined) return unguarded(file, config, where);
  const { encode, template } = guard(0, () => unguarded(file, config, where));
  return { encode: (text, parseSpecialTokens) => guard(text.length, () => encode(text, parseSpecialTokens)), template };
}

function unguarded(file: TokenizerFile, config: Record<string, unknown>, where: string): Encoder {
  const make = (json: Record<string, unknown>): LibraryTokenizer => {
    try {
      return new LibraryTokenizer(json, config);
    } catch (cause) {
      throw new SrcodeError('ERR_UNSUPPORTED', `${where} cannot be used: ${(cause as Error).message}`, { cause });
    }
  };
  const bpe = isUsual(file) ? ByteLevelBpe.create(file) : null;
  if (bpe) {
    // The library takes a second to index 150,000 merges. Where our BPE applies them it gets none, and the bytes for a vocabulary.
    const vocab = Object.fromEntries(BYTE_TO_CHAR.map((char) => [char, file.vocab.get(char)]));
    const library = make({ ...file.json, model: { ...(file.json.model as object), vocab, merges: [] } });
    return { encode: direct(file, library, bpe), template: template(library, where) };
  }
  const library = make(file.json);

  // A second one without added tokens, made when first asked for, reads special tokens as plain text.
  let plain: LibraryTokenizer | undefined;
  const encode = (text: string, parseSpecialTokens: boolean): Int32Array => {
    if (!parseSpecialTokens) plain ??= make({ ...file.json, added_tokens: [] });
    const { ids } = (parseSpecialTokens ? library : (plain as LibraryTokenizer)).encode(text, {
      add_special_tokens: false,
    });
    if (ids.includes(undefined))
      throw new SrcodeError(
        'ERR_UNSUPPORTED',
        `${where} has neither a token nor an unknown token for a part of the text`,
      );
    return Int32Array.from(ids as number[]);
  };
  return { encode, template: template(library, where) };
}

/**
 * The splits of a pre-tokenizer that ends in ByteLevel, as a function text → pieces of text that concatenate to it. The library's own
 * classes do the splitting, without the byte alphabet.
 */
export function splitter(preTokenizer: unknown): (text: string) => string[] {
  const steps = flatten(preTokenizer);
  const last = steps.pop();
  if (last?.use_regex ?? true)
    steps.push({ type: 'Split', pattern: { Regex: GPT2_SPLIT }, behavior: 'Isolated', invert: false });
  const sequence = new SequencePreTokenizer({ pretokenizers: steps });
  return (text) => sequence.pre_tokenize_text(text);
}

const GPT2_SPLIT = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** The patterns of the families that are most in use, and our own: none of them looks at a character more than a few times. */
const quick: ReadonlySet<string> = new Set([
  GPT2_SPLIT,
  CODE_SPLIT,
  // Qwen2 and Llama 3.
  ...['\\p{N}', '\\p{N}{1,3}'].map(
    (digits) =>
      `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  ),
  // DeepSeek-Coder.
  ...['[\\r\\n]', '\\s?\\p{L}+', '\\s?\\p{P}+', '\\p{N}', '[一-龥ࠀ-一가-퟿]+'],
]);

function isUsual(file: TokenizerFile): boolean {
  const model = file.json.model as Record<string, unknown>;
  const last = flatten(file.json.pre_tokenizer).at(-1);
  return (
    file.kind === 'byte-level' &&
    last?.type === 'ByteLevel' &&
    last.add_prefix_space !== true &&
    !model.continuing_subword_prefix &&
    !model.end_of_word_suffix &&
    !model.dropout &&
    file.addedTokens.every((token) => token.alone && (token.raw || flatten(file.json.normalizer).length === 0))
  );
}

function direct(file: TokenizerFile, library: LibraryTokenizer, bpe: ByteLevelBpe): Encoder['encode'] {
  const split = splitter(file.json.pre_tokenizer);
  const normalizer = library.normalizer;
  const addedIds = new Map(file.addedTokens.map((token) => [token.content, token.id]));
  // The longest token that starts at the leftmost place: an alternation takes the first that fits.
  const contents = [...addedIds.keys()]
    .sort((a, b) => b.length - a.length)
    .map((s) => s.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  const added = contents.length > 0 ? new RegExp(`(${contents.join('|')})`) : null;

  const encodeText = (text: string, out: IdBuffer): void => {
    if (text === '') return;
    for (const piece of split(normalizer ? normalizer.normalize(text) : text)) out.append(bpe.encode(piece));
  };
  return (text, parseSpecialTokens) => {
    const out = new IdBuffer(text.length);
    if (!added || !parseSpecialTokens) encodeText(text, out);
    else
      for (const section of text.split(added)) {
        const id = addedIds.get(section);
        if (id === undefined) encodeText(section, out);
        else out.append([id]);
      }
    return out.ids();
  };
}

// Where the post-processor puts the text is seen by encoding one.
function template(library: LibraryTokenizer, where: string): Encoder['template'] {
  const inner = library.encode('a', { add_special_tokens: false }).ids;
  const all = library.encode('a', { add_special_tokens: true }).ids as number[];
  if (all.some((id) => id === undefined))
    throw new SrcodeError(
      'ERR_FILE_FORMAT',
      `${where} has a post_processor with a token that is not among added_tokens`,
    );
  for (let at = 0; at + inner.length <= all.length; at++)
    if (inner.every((id, i) => all[at + i] === id))
      return { prefix: Int32Array.from(all.slice(0, at)), suffix: Int32Array.from(all.slice(at + inner.length)) };
  return { prefix: new Int32Array(0), suffix: new Int32Array(0) };
}

class IdBuffer {
  #ids: Int32Array;
  #length = 0;

  constructor(textLength: number) {
    this.#ids = new Int32Array(Math.ceil(textLength / 2) + 16);
  }

  append(ids: ArrayLike<number>): void {
    const end = this.#length + ids.length;
    if (end > this.#ids.length) {
      const grown = new Int32Array(Math.max(end, 2 * this.#ids.length));
      grown.set(this.#ids.subarray(0, this.#length));
      this.#ids = grown;
    }
    this.#ids.set(ids, this.#length);
    this.#length = end;
  }

  ids(): Int32Array {
    return this.#ids.slice(0, this.#length);
  }
}
