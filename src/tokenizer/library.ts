import * as library from '@huggingface/tokenizers';

/** The part of @huggingface/tokenizers that we use; its own declarations do not resolve under Node's module rules. */
export interface LibraryTokenizer {
  readonly normalizer: { normalize(text: string): string } | null;
  /** An id is undefined for a token that the vocabulary lacks, where the model names no unknown token. */
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] };
}

interface Library {
  Tokenizer: new (json: object, config: object) => LibraryTokenizer;
  SequencePreTokenizer: new (config: { pretokenizers: object[] }) => { pre_tokenize_text(text: string): string[] };
}

const classes = library as unknown as Library;
export const LibraryTokenizer: Library['Tokenizer'] = classes.Tokenizer;
export const SequencePreTokenizer: Library['SequencePreTokenizer'] = classes.SequencePreTokenizer;
