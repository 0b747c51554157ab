// node scripts/make-tiny.mjs: writes assets/tiny without its weights: the tokenizer and the configuration (needs `npm run build:ts`).
// The tokenizer learns from the embedded family's documents and as many bytes of this machine's C headers, so that it reads ordinary C
// as well. Headers differ between machines: the committed files are what counts, and weights trained with them do not fit a new one.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { permutation } from '../dist/dataset/index.js';
import { pretrainDocument } from '../dist/tasks/family/index.js';
import { Tokenizer } from '../dist/tokenizer/index.js';

const out = fileURLToPath(new URL('../assets/tiny', import.meta.url));

const stage = {
  ks: [0.3, 0.35, 0.25, 0.1],
  copyShare: 0.2,
  randomNames: 0.25,
  secureLow: 0.5,
  secureHigh: 0.5,
  instructionShare: 0.5,
};
const family = Array.from({ length: 6500 }, (_, i) => {
  const { prompt, response } = pretrainDocument(11, i, stage);
  return `${prompt}\n${response}`;
});
// What detection and repair say.
const lessons = [
  'No vulnerability.\n',
  'Yes.\nCWE-125: ',
  'Fix the vulnerabilities in this code.\n',
  'Repair this function.\n',
];
const bytes = (texts) => texts.reduce((sum, { length }) => sum + length, 0);

const headers = readdirSync('/usr/include', { recursive: true })
  .filter((name) => name.endsWith('.h') && !name.startsWith('c++'))
  .sort();
const ordinary = [];
for (let at = 0, order = permutation(headers.length, 0, 0), room = bytes(family); room > 0 && at < order.length; at++) {
  const text = readFileSync(join('/usr/include', headers[order[at]]), 'latin1');
  if (text.length > 1 << 16) continue;
  ordinary.push(text);
  room -= text.length;
}

const texts = [...family, ...ordinary, ...lessons.flatMap((text) => Array(50).fill(text))];
const tokenizer = Tokenizer.train(texts, { vocabSize: 2048 });
if (tokenizer.vocabSize !== 2048) throw new Error(`The texts give ${tokenizer.vocabSize} tokens only, expected 2048`);
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
console.log(`family ${bytes(family)} characters, C headers ${bytes(ordinary)} → ${out}`);
