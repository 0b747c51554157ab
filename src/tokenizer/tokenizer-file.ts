import { SrcodeError } from '../errors.js';

export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  /** True when the text beside the token is left as it is (no lstrip, rstrip, single_word). */
  alone: boolean;
  /** True when it is looked for before the text is normalised. */
  raw: boolean;
}

/** What we read of a Hugging Face tokenizer.json; `json` is the whole of it. */
export interface TokenizerFile {
  json: Record<string, unknown>;
  /** 'byte-level': GPT-2's alphabet (Qwen, Llama 3, DeepSeek). 'byte-fallback': U+2581 for a space, `<0xNN>` for a byte (Llama 2). */
  kind: 'byte-level' | 'byte-fallback';
  vocab: ReadonlyMap<string, number>;
  merges: readonly (readonly [string, string])[];
  addedTokens: readonly AddedToken[];
  /** The largest id, of the vocabulary or an added token, plus one. */
  vocabSize: number;
}

// The largest vocabularies in use have 2^18 tokens; an id far above that is a damaged file, not a table to allocate.
const MAX_VOCABULARY = 1 << 22;

/**
 * Checks the text of a tokenizer.json. Throws ERR_FILE_FORMAT (malformed) or ERR_UNSUPPORTED (a model or a step that would be
 * computed wrongly); both name `where`, the file.
 */
export function parseTokenizerFile(text: string, where: string): TokenizerFile {
  const json = parseObject(text, where);
  const model = json.model;
  if (!isObject(model)) throw malformed(where, 'has no "model" object');
  const type = model.type ?? (model.merges === undefined ? undefined : 'BPE'); // files before 2020 leave the type out
  if (type !== 'BPE') throw unsupported(where, `has a model of type ${JSON.stringify(type)}; BPE is supported`);
  if (!isObject(model.vocab)) throw malformed(where, 'has no "model.vocab" object');
  if (!Array.isArray(model.merges)) throw malformed(where, 'has no "model.merges" array');

  const vocab = readVocabulary(model.vocab, where);
  const addedTokens = readAddedTokens(json.added_tokens ?? [], where);
  let vocabSize = 0;
  for (const id of vocab.values()) vocabSize = Math.max(vocabSize, id + 1);
  for (const { id } of addedTokens) vocabSize = Math.max(vocabSize, id + 1);

  const steps = [json.pre_tokenizer, json.decoder].flatMap(flatten);
  for (const step of steps) {
    if (step.type === 'Split' && !['isolated', 'removed'].includes(String(step.behavior).toLowerCase()))
      throw unsupported(
        where,
        `splits with behavior ${JSON.stringify(step.behavior)}; Isolated and Removed are supported`,
      );
  }
  const kind = steps.some((step) => step.type === 'ByteLevel')
    ? 'byte-level'
    : model.byte_fallback === true
      ? 'byte-fallback'
      : undefined;
  if (!kind)
    throw unsupported(where, 'is neither byte-level BPE nor BPE with byte_fallback, so ids have no exact bytes');
  // The encoder's library expects these keys, which files of some exporters leave out.
  for (const key of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder']) json[key] ??= null;
  json.added_tokens ??= [];
  return { json, kind, vocab, merges: readMerges(model.merges, vocab, where), addedTokens, vocabSize };
}

/** The steps of a normalizer, pre-tokenizer or decoder, sequences opened. */
export function flatten(step: unknown): Record<string, unknown>[] {
  if (!isObject(step)) return [];
  if (step.type !== 'Sequence') return [step];
  const inner = step.normalizers ?? step.pretokenizers ?? step.decoders;
  return Array.isArray(inner) ? inner.flatMap(flatten) : [];
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Parses a JSON object; ERR_FILE_FORMAT names `where`. */
export function parseObject(text: string, where: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SrcodeError('ERR_FILE_FORMAT', `${where} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(json)) throw malformed(where, 'holds no JSON object');
  return json;
}

function readVocabulary(object: Record<string, unknown>, where: string): Map<string, number> {
  const vocab = new Map<string, number>();
  const seen = new Uint8Array(MAX_VOCABULARY);
  for (const token of Object.keys(object)) {
    const id = object[token];
    if (!isId(id)) throw malformed(where, `gives token ${JSON.stringify(token)} the id ${JSON.stringify(id)}`);
    if (seen[id]) throw malformed(where, `gives two tokens the id ${id}, the second is ${JSON.stringify(token)}`);
    seen[id] = 1;
    vocab.set(token, id);
  }
  if (vocab.size === 0) throw malformed(where, 'has an empty vocabulary');
  return vocab;
}

function readMerges(list: unknown[], vocab: Map<string, number>, where: string): [string, string][] {
  return list.map((merge, i) => {
    const parts: unknown[] = typeof merge === 'string' ? merge.split(' ') : Array.isArray(merge) ? merge : [];
    const [left, right] = parts;
    if (parts.length !== 2 || typeof left !== 'string' || typeof right !== 'string')
      throw malformed(where, `has no pair of tokens at model.merges[${i}]`);
    for (const token of [left, right, left + right])
      if (!vocab.has(token))
        throw malformed(where, `merges ${JSON.stringify(token)} at [${i}], which is not in the vocabulary`);
    return [left, right];
  });
}

function readAddedTokens(list: unknown, where: string): AddedToken[] {
  if (!Array.isArray(list)) throw malformed(where, 'has "added_tokens" that are not an array');
  return list.map((added, i) => {
    if (!isObject(added) || typeof added.content !== 'string' || added.content === '' || !isId(added.id))
      throw malformed(where, `has no content and id at added_tokens[${i}]`);
    const special = added.special === true;
    const normalized = added.normalized ?? !special;
    const alone = added.lstrip !== true && added.rstrip !== true && added.single_word !== true;
    return { id: added.id, content: added.content, special, alone, raw: !normalized };
  });
}

function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < MAX_VOCABULARY;
}

function malformed(where: string, what: string): SrcodeError {
  return new SrcodeError('ERR_FILE_FORMAT', `${where} ${what}; expected a Hugging Face tokenizer.json`);
}

function unsupported(where: string, what: string): SrcodeError {
  return new SrcodeError('ERR_UNSUPPORTED', `${where} ${what}`);
}
