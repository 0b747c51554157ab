// node scripts/plant-bugs.mjs [--all] [--tree DIR] [NAME…]
// Plants bugs in the CUDA kernels, one at a time, and shows that the checked build of the emulator catches each: that the comparison with
// the CPU's kernels fails. Needs a tree that was built with tests. Without --all a sample that takes seconds, one of each kind.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const kernels = join(root, 'native', 'kernels');

// Name, file, what stands there, what is put in its place. `sample` marks the ones that always run.
const bugs = [
  // Barriers
  {
    name: 'no barrier before the warps’ maps are read',
    file: 'gae/gae_cuda.cu',
    from: '    __syncthreads();\n    double x = carry;',
    to: '    double x = carry;',
    sample: true,
  },
  {
    name: 'no barrier between the read of the carry and its update',
    file: 'gae/gae_cuda.cu',
    from: "    __syncthreads();  // all have read the carry and the warps' maps\n",
    to: '',
  },
  {
    name: 'no barrier before the centre is read',
    file: 'gae/gae_cuda.cu',
    from: '    __syncthreads();\n    if (t >= 0) {  // about',
    to: '    if (t >= 0) {  // about',
  },
  {
    name: 'no barrier in the tree of moments',
    file: 'gae/gae_cuda.cu',
    from: '    if (threadIdx.x < step) parts[threadIdx.x] = combine(parts[threadIdx.x], parts[threadIdx.x + step]);\n    __syncthreads();',
    to: '    if (threadIdx.x < step) parts[threadIdx.x] = combine(parts[threadIdx.x], parts[threadIdx.x + step]);',
  },
  {
    name: 'scratch of a block sum used again without a barrier',
    file: 'cuda/device.h',
    from: '  __syncthreads();  // the scratch may be used again\n',
    to: '',
  },
  {
    name: 'every thread writes the carry',
    file: 'gae/gae_cuda.cu',
    from: 'if (threadIdx.x == kThreads - 1) carry = advantage;',
    to: 'carry = advantage;',
  },
  { name: 'the carry is never set', file: 'gae/gae_cuda.cu', from: '  if (threadIdx.x == 0) carry = 0.0;\n', to: '' },
  {
    name: 'two blocks write one partial sum',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'partial[blockIdx.x * kSums + k] = sum',
    to: 'partial[blockIdx.x / 2 * kSums + k] = sum',
  },
  // Warp operations
  {
    name: 'a shuffle mask of half a warp',
    file: 'cuda/device.h',
    from: 'kAllLanes = 0xffffffffu',
    to: 'kAllLanes = 0x0000ffffu',
  },
  {
    name: 'only live tokens take part in the shuffle',
    file: 'gae/gae_cuda.cu',
    from: '    for (int step = 1; step < 32; step *= 2) {',
    to: '    if (t >= 0) for (int step = 1; step < 32; step *= 2) {',
    sample: true,
  },
  {
    name: 'a warp sum that leaves lanes out',
    file: 'cuda/device.h',
    from: 'int step = 16; step > 0',
    to: 'int step = 8; step > 0',
  },
  // Bounds, memory
  {
    name: 'a tail that reads past the end',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'end = min(a.tokens, begin + kTokens);',
    to: 'end = begin + kTokens;',
    sample: true,
  },
  {
    name: 'a chunk that runs past its tensor',
    file: 'adamw/adamw_cuda.cu',
    from: 'i < chunk.begin + chunk.size;',
    to: 'i < chunk.begin + kChunk;',
  },
  {
    name: 'a grid that rounds down',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: '(args.tokens + kTokens - 1) / kTokens',
    to: 'args.tokens / kTokens',
  },
  {
    name: 'a host pointer given to a kernel',
    file: 'adamw/adamw_cuda.cu',
    from: 'launch(norm_kernel, grid, kThreads, 0, stream, device_tensors.data()',
    to: 'launch(norm_kernel, grid, kThreads, 0, stream, list.data()',
  },
  {
    name: 'chunks never uploaded',
    file: 'adamw/adamw_cuda.cu',
    from: '  upload(device_chunks, chunks, stream);\n',
    to: '',
  },
  {
    name: 'the first token left out',
    file: 'gae/gae_cuda.cu',
    from: '    if (t >= 0) {\n      args.advantages[i] = rounded;',
    to: '    if (t > 0) {\n      args.advantages[i] = rounded;',
  },
  // Launches
  {
    name: 'a block of 2048 threads',
    file: 'gae/gae_cuda.cu',
    from: 'launch(gae_kernel, static_cast<unsigned>(sequences), kThreads',
    to: 'launch(gae_kernel, static_cast<unsigned>(sequences), 2048',
  },
  {
    name: 'an empty grid',
    file: 'token_rewards/token_rewards_cuda.cu',
    from: '  if (parts.sequences == 0) return;\n',
    to: '',
  },
  // Arithmetic
  {
    name: 'a sequence that sees the next one’s value',
    file: 'gae/gae_cuda.cu',
    from: 't + 1 < length ?',
    to: 't + 1 <= length ?',
  },
  {
    name: 'Eq. 2 with the wrong sign',
    file: 'token_rewards/token_rewards_device.h',
    from: 'reward -= parts.penalty[b]',
    to: 'reward += parts.penalty[b]',
    sample: true,
  },
  {
    name: 'a span that reaches one token further',
    file: 'token_rewards/token_rewards_device.h',
    from: 'parts.span_end[middle] <= t',
    to: 'parts.span_end[middle] < t',
  },
  {
    name: 'a span of the next sequence',
    file: 'token_rewards/token_rewards_device.h',
    from: 'if (first < end && parts',
    to: 'if (parts',
  },
  {
    name: 'biased variance',
    file: 'gae/gae_cuda.cu',
    from: 'fmax(moments->count - 1.0, 1.0)',
    to: 'fmax(moments->count, 1.0)',
  },
  {
    name: 'CISPO’s cap taken as an offset',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: '-fmin(ratio, clip.cap)',
    to: '-fmin(ratio, 1.0 + clip.cap)',
  },
  {
    name: 'no dual clip',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'clip.kind == Clip::Kind::dual && advantage < 0.0',
    to: 'clip.kind == Clip::Kind::dual && advantage < -1e30',
  },
  {
    name: 'SAPO with one temperature',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'advantage > 0.0 ? clip.tau_pos : clip.tau_neg',
    to: 'clip.tau_pos',
  },
  {
    name: 'the mean where the sum is asked for',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'scale = a.sum ? 1.0 : mean',
    to: 'scale = mean',
  },
  {
    name: 'a value gradient past its clip',
    file: 'ppo_loss/ppo_loss_cuda.cu',
    from: 'plain >= bounded ? static_cast<float>(weight * (value - target) * mean) : 0.0f',
    to: 'static_cast<float>(weight * (value - target) * mean)',
  },
  {
    name: 'an update in spite of a NaN',
    file: 'adamw/adamw_cuda.cu',
    from: '  if (result->bad_tensor >= 0) return;\n',
    to: '',
  },
  {
    name: 'the chunk’s number for its tensor’s',
    file: 'adamw/adamw_cuda.cu',
    from: 'chunks[bad].tensor : -1',
    to: 'bad : -1',
  },
  { name: 'decay of every tensor', file: 'adamw/adamw_cuda.cu', from: 'tensor.decay ? k.keep : 1.0f', to: 'k.keep' },
];

function options(args) {
  const tree = args.includes('--tree') ? args[args.indexOf('--tree') + 1] : join(root, '.cmake-build', 'Release');
  const names = args.filter((arg, i) => !arg.startsWith('--') && args[i - 1] !== '--tree');
  const chosen = bugs.filter(({ name, sample }) =>
    names.length > 0 ? names.some((part) => name.includes(part)) : sample || args.includes('--all'),
  );
  return { tree, chosen };
}

// The objects of the checked build and how each was compiled.
function objectsOf(tree) {
  const file = join(tree, 'compile_commands.json');
  if (!existsSync(file)) throw new Error(`${file} is missing: build with \`npm run build:native -- --tests\` first`);
  return JSON.parse(readFileSync(file, 'utf8'))
    .filter(({ command }) => / -o \S*srcode_cu(da)?_checked\.dir/.test(command))
    .map(({ file: source, directory, command }) => ({
      source,
      directory,
      command,
      object: join(directory, / -o (\S+)/.exec(command)[1]),
    }));
}

const shell = (command, cwd) =>
  execFileSync('/bin/sh', ['-c', command], { cwd, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' });

// Builds the checked test with `text` in place of a file of native/kernels, and runs the comparison. Gives back its exit status and output.
function trial(tree, objects, work, bug) {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(join(work, 'kernels', dirname(bug.file)), { recursive: true });
  const original = join(kernels, bug.file);
  const text = readFileSync(original, 'utf8');
  if (text.split(bug.from).length !== 2)
    throw new Error(`"${bug.name}": expected its text once in ${bug.file}, found ${text.split(bug.from).length - 1}`);
  const planted = join(work, 'kernels', bug.file);
  writeFileSync(
    planted,
    text.replace(bug.from, () => bug.to),
  );
  const header = bug.file.endsWith('.h');
  const linked = objects.map(({ source, directory, command, object }) => {
    const affected = header
      ? source.startsWith(kernels) && readFileSync(source, 'utf8').includes(bug.file)
      : source === original;
    if (!affected) return object;
    const made = join(work, `${basename(source)}.o`);
    // The planted file comes first among the includes.
    shell(
      command
        .replace(/ -o \S+/, ` -o '${made}'`)
        .replace(/ -I/, ` -w -I'${work}' -I`)
        .replace(/ -MF \S+/, ` -MF '${made}.d'`)
        .replaceAll(source, header ? source : planted),
      directory,
    );
    return made;
  });
  const program = join(work, 'program');
  const archives = ['test-native/cuda/libsrcode_emulator.a', 'libsrcode_core.a'].map((name) => join(tree, name));
  const compiler = objects[0].command.split(' ')[0];
  execFileSync(compiler, [...linked, ...archives, '-ldl', '-lpthread', '-o', program], { stdio: 'pipe' });
  return spawnSync(program, ['--test-case=cuda*', '--no-version=true'], {
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, SRCODE_SEEDS: '1' },
  });
}

function main() {
  const { tree, chosen } = options(process.argv.slice(2));
  const objects = objectsOf(tree);
  const work = mkdtempSync(join(tmpdir(), 'srcode-bugs-'));
  let missed = 0;
  try {
    // Without a bug the comparison passes: otherwise "caught" would mean nothing.
    const control = {
      name: 'no bug',
      file: 'gae/gae_cuda.cu',
      from: 'constexpr int kThreads = 256',
      to: 'constexpr int kThreads = 256',
    };
    for (const bug of [control, ...chosen]) {
      const { status, signal, stdout } = trial(tree, objects, join(work, 'trial'), bug);
      const caught = status !== 0 && signal === null;
      const good = bug === control ? status === 0 : caught;
      if (!good) missed++;
      const why = /(?:FATAL )?ERROR: .*|logged: .*/g.exec(stdout)?.[0] ?? '';
      const reason = /ERR_\w+: .*|logged: (.*)/.exec(stdout)?.[0] ?? why;
      console.log(
        `${good ? 'ok    ' : 'MISSED'} ${bug.name}${caught ? `\n         ${reason.slice(0, 200)}` : ''}${signal ? ` (${signal})` : ''}`,
      );
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(`${chosen.length} bugs planted, ${missed} missed`);
  return missed === 0 ? 0 : 1;
}

process.exitCode = main();
