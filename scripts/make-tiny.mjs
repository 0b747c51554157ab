// node scripts/make-tiny.mjs: writes assets/tiny, the embedded model without weights (needs `npm run build:ts`).
// The tokenizer is trained on the sources of this repository. They change, so running this again gives another tokenizer:
// the committed files are what counts, and weights trained with them do not fit a new one.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tokenizer } from '../dist/tokenizer/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'assets', 'tiny');

// C-like text first: what the model is to read and write. Its files count twice, against the prose of comments and tests.
const WEIGHT = { '.h': 2, '.cc': 2, '.cu': 2, '.ts': 1, '.mjs': 1 };

const files = ['native', 'scripts', 'src', 'test']
  .flatMap((folder) => readdirSync(join(root, folder), { recursive: true }).map((name) => join(folder, name)))
  .filter((name) => extname(name) in WEIGHT)
  .sort();
const texts = files.flatMap((name) => Array(WEIGHT[extname(name)]).fill(readFileSync(join(root, name), 'utf8')));

const tokenizer = Tokenizer.train(texts, { vocabSize: 2048 });
if (tokenizer.vocabSize !== 2048) throw new Error(`The sources give ${tokenizer.vocabSize} tokens only, expected 2048`);
await tokenizer.save(out);

const eos = tokenizer.eosId;
const config = {
  architectures: ['Qwen2ForCausalLM'],
  attention_dropout: 0,
  bos_token_id: eos,
  eos_token_id: eos,
  head_dim: 32,
  hidden_act: 'silu',
  hidden_size: 192,
  initializer_range: 0.02,
  intermediate_size: 512,
  max_position_embeddings: 2048,
  model_type: 'qwen2',
  num_attention_heads: 6,
  num_hidden_layers: 4,
  num_key_value_heads: 6,
  rms_norm_eps: 1e-6,
  rope_scaling: null,
  rope_theta: 10000,
  tie_word_embeddings: true,
  torch_dtype: 'bfloat16',
  use_cache: true,
  use_sliding_window: false,
  vocab_size: tokenizer.vocabSize,
};
const write = (name, value) => writeFileSync(join(out, name), `${JSON.stringify(value, null, 2)}\n`);
write('config.json', config);
write('generation_config.json', { bos_token_id: eos, eos_token_id: eos, pad_token_id: eos });
console.log(`${files.length} files, ${texts.reduce((sum, text) => sum + text.length, 0)} characters → ${out}`);
