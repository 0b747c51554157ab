import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { tinyModelDir } from '../assets.js';
import { SrcodeError } from '../errors.js';
import { ioError, writeOwn } from '../files.js';
import { readJsonText } from '../json-file.js';
import { trainBpe } from './bpe-trainer.js';
import { ByteTable } from './byte-table.js';
import { CODE_SPLIT } from './code-split.js';
import { createEncoder, type Encoder, splitter } from './encoder.js';
import { isObject, parseObject, parseTokenizerFile, type TokenizerFile } from './tokenizer-file.js';

export interface EncodeOptions {
  /** Add what the model's template puts round one text, e.g. Llama's BOS (default false). */
  addSpecialTokens?: boolean;
  /**
   * Read the text of an added token (`<|endoftext|>`) as that token (default true, as Hugging Face does). With false it is text like
   * any other: right for code that we did not write, which must not be able to end a sequence.
   */
  parseSpecialTokens?: boolean;
}

export interface TrainOptions {
  /** Tokens of the vocabulary: special tokens + 256 bytes + merges. Smaller when the texts run out of pairs. */
  vocabSize: number;
  /** Ids 0, 1, … in this order; the first one is EOS and padding. Default: `<|endoftext|>` and ChatML's two markers. */
  specialTokens?: readonly string[];
  /** A pair that occurs less often is never merged (default 2). */
  minFrequency?: number;
}

/** A tokenizer of a Hugging Face folder, or one trained here. Byte offsets in UTF-8 are its only unit of position. */
export class Tokenizer {
  /** The number of ids: the largest id plus one. */
  readonly vocabSize: number;
  /** End of sequence, beginning of sequence and padding, by tokenizer_config.json; null where it names none. */
  readonly eosId: number | null;
  readonly bosId: number | null;
  readonly padId: number | null;
  /** Ids of the special added tokens. */
  readonly specialIds: ReadonlySet<number>;
  /** What the model's template puts before one text (Llama: BOS) and after it. */
  readonly prefixIds: Int32Array;
  readonly suffixIds: Int32Array;

  readonly #file: TokenizerFile;
  readonly #config: Record<string, unknown>;
  readonly #table: ByteTable;
  readonly #encoder: Encoder;
  readonly #where: string;

  private constructor(text: string, config: Record<string, unknown>, where: string) {
    const file = parseTokenizerFile(text, where);
    this.#file = file;
    this.#config = config;
    this.#where = where;
    this.#table = new ByteTable(file);
    this.#encoder = createEncoder(file, config, where);
    this.vocabSize = file.vocabSize;
    this.eosId = this.#named('eos_token');
    this.bosId = this.#named('bos_token');
    this.padId = this.#named('pad_token');
    this.specialIds = new Set(file.addedTokens.filter((token) => token.special).map((token) => token.id));
    this.prefixIds = this.#prefix();
    this.suffixIds = this.#encoder.template.suffix;
  }

  /**
   * Reads tokenizer.json, and tokenizer_config.json when present, from a folder; 'tiny' is the embedded one.
   * Errors: ERR_IO (no file), ERR_FILE_FORMAT (malformed), ERR_UNSUPPORTED (not byte-level BPE nor BPE with byte fallback).
   */
  static async load(dir: string | 'tiny'): Promise<Tokenizer> {
    const folder = dir === 'tiny' ? tinyModelDir : dir;
    const path = join(folder, 'tokenizer.json');
    const text = read(path);
    if (text === null)
      throw new SrcodeError(
        'ERR_IO',
        `No tokenizer.json in ${folder}; expected a Hugging Face model folder, or 'tiny'`,
      );
    const configPath = join(folder, 'tokenizer_config.json');
    const config = read(configPath);
    return new Tokenizer(text, config === null ? {} : parseObject(config, configPath), path);
  }

  /**
   * Trains a byte-level BPE tokenizer. The same multiset of texts gives the same tokenizer, whatever their order; ties between pairs
   * go to the smaller ids. Errors: ERR_INVALID_ARG (a vocabulary that cannot hold the bytes, special tokens that repeat or are empty).
   */
  static train(texts: Iterable<string>, options: TrainOptions): Tokenizer {
    const { vocabSize, specialTokens = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'], minFrequency = 2 } = options;
    if (specialTokens.length === 0 || new Set(specialTokens).size < specialTokens.length || specialTokens.includes(''))
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        `Expected distinct special tokens, at least one for EOS; received [${specialTokens}]`,
      );
    const least = specialTokens.length + 256;
    if (!Number.isInteger(vocabSize) || vocabSize < least || vocabSize > 2 ** 20)
      throw new SrcodeError(
        'ERR_INVALID_ARG',
        `Expected vocabSize between ${least} (special tokens and 256 bytes) and ${2 ** 20}, received ${vocabSize}`,
      );
    if (!Number.isInteger(minFrequency) || minFrequency < 1)
      throw new SrcodeError('ERR_INVALID_ARG', `Expected minFrequency of at least 1, received ${minFrequency}`);

    const split = splitter(PRE_TOKENIZER);
    const pieces = new Map<string, number>();
    for (const text of texts) for (const piece of split(text)) pieces.set(piece, (pieces.get(piece) ?? 0) + 1);
    const { tokens, merges } = trainBpe(pieces, { vocabSize, specialTokens, minFrequency });

    const json = {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: specialTokens.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: PRE_TOKENIZER,
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map(([left, right]) => `${left} ${right}`), // the form that every release reads
      },
    };
    const config = {
      tokenizer_class: 'PreTrainedTokenizerFast',
      eos_token: specialTokens[0],
      pad_token: specialTokens[0],
      clean_up_tokenization_spaces: false,
    };
    return new Tokenizer(JSON.stringify(json), config, 'the trained tokenizer');
  }

  /** Text → ids. Lone surrogates become U+FFFD. */
  encode(text: string, { addSpecialTokens = false, parseSpecialTokens = true }: EncodeOptions = {}): Int32Array {
    if (typeof text !== 'string')
      throw new SrcodeError('ERR_INVALID_ARG', `Expected a text to encode, received ${typeof text}`);
    const ids = this.#encoder.encode(text, parseSpecialTokens);
    if (!addSpecialTokens || this.prefixIds.length + this.suffixIds.length === 0) return ids;
    const out = new Int32Array(this.prefixIds.length + ids.length + this.suffixIds.length);
    out.set(this.prefixIds);
    out.set(ids, this.prefixIds.length);
    out.set(this.suffixIds, this.prefixIds.length + ids.length);
    return out;
  }

  /**
   * Ids → the text of their bytes; invalid UTF-8 becomes U+FFFD. No blank is stripped: with the Llama-2 kind the first word keeps
   * the blank that encoding put before it. Errors: ERR_INVALID_ARG (an id out of range).
   */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const kept = skipSpecialTokens ? Array.from(ids).filter((id) => !this.specialIds.has(id)) : ids;
    return utf8.decode(this.#table.bytes(kept));
  }

  /** The concatenated bytes of ids, exactly. Errors: ERR_INVALID_ARG (an id out of range). */
  bytes(ids: ArrayLike<number>): Uint8Array {
    return this.#table.bytes(ids);
  }

  /** Byte prefix sums [n + 1]: token i covers bytes [offsets[i], offsets[i + 1]) of `bytes(ids)`. Errors: ERR_INVALID_ARG. */
  offsets(ids: ArrayLike<number>): Int32Array {
    return this.#table.offsets(ids);
  }

  /** The id of a token as tokenizer.json writes it, e.g. `<|im_end|>`. */
  tokenId(token: string): number | undefined {
    return this.#file.addedTokens.find((added) => added.content === token)?.id ?? this.#file.vocab.get(token);
  }

  /**
   * Writes tokenizer.json and tokenizer_config.json; equal tokenizers give equal bytes. From transformers 5 on, AutoTokenizer puts its own
   * splits in place of the file's where config.json says `qwen2`: load with PreTrainedTokenizerFast there. Errors: ERR_IO.
   */
  async save(dir: string): Promise<void> {
    try {
      await mkdir(dir, { recursive: true });
      writeOwn(join(dir, 'tokenizer.json'), `${JSON.stringify(this.#file.json, null, 1)}\n`);
      writeOwn(join(dir, 'tokenizer_config.json'), `${JSON.stringify(this.#config, null, 1)}\n`);
    } catch (cause) {
      throw ioError('write the tokenizer to', dir, cause);
    }
  }

  // The template's, but for `add_bos_token`, by which some families (DeepSeek) say it in tokenizer_config.json instead.
  #prefix(): Int32Array {
    const { prefix } = this.#encoder.template;
    const { add_bos_token: addBos } = this.#config;
    if (typeof addBos !== 'boolean' || this.bosId === null || prefix.includes(this.bosId) === addBos) return prefix;
    return addBos ? Int32Array.of(this.bosId, ...prefix) : prefix.filter((id) => id !== this.bosId);
  }

  // tokenizer_config.json gives a special token as its text or as an object with `content`.
  #named(role: 'eos_token' | 'bos_token' | 'pad_token'): number | null {
    const value = this.#config[role];
    const content = isObject(value) ? value.content : value;
    if (typeof content !== 'string') return null;
    const id = this.tokenId(content);
    if (id === undefined)
      throw new SrcodeError(
        'ERR_FILE_FORMAT',
        `The ${role} ${JSON.stringify(content)} of the configuration is no token of ${this.#where}`,
      );
    return id;
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const PRE_TOKENIZER = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: CODE_SPLIT }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
};

function read(path: string): string | null {
  return existsSync(path) ? readJsonText(path) : null;
}
