import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { assignmentLayer, merge, objectLayer, yamlLayer } from '../../src/config/layers.js';
import { pretrainPresets, pretrainSchema } from '../../src/config/pretrain.js';
import { differingKeys, resolveConfig } from '../../src/config/resolve.js';
import { rewardSchema } from '../../src/config/reward.js';
import { fields } from '../../src/config/schema.js';
import { sftSchema } from '../../src/config/sft.js';
import { editDistance, suggest } from '../../src/config/suggest.js';
import type { SrcodeError } from '../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'srcode-config-'));

function yaml(text: string): string {
  const file = join(folder, `${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

function problems(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    expect((error as SrcodeError).code).toBe('ERR_CONFIG');
    return (error as SrcodeError).message.split('\n').slice(1);
  }
  throw new Error('expected ERR_CONFIG');
}

describe('layers', () => {
  test('defaults fill what nobody set', () => {
    const config = resolveConfig(sftSchema, [objectLayer({ data: ['a.jsonl'] })]);
    expect(config).toMatchObject({
      model: 'tiny',
      mode: 'lora',
      lr: 1e-3,
      steps: null,
      run: 'runs/sft',
      data: ['a.jsonl'],
    });
    expect(config.lora).toEqual({
      rank: 8,
      alpha: 16,
      targets: ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
    });
  });

  test('a later layer wins key by key, and a list is replaced whole', () => {
    const file = yaml('lr: 0.1\ndata: [a, b]\noptimizer:\n  beta1: 0.5\n  beta2: 0.6\n');
    const config = resolveConfig(sftSchema, [
      yamlLayer(file),
      assignmentLayer(['optimizer.beta2=0.7', 'lora.targets=[q_proj]']),
      objectLayer({ data: ['c'], threads: undefined }),
    ]);
    expect(config.lr).toBe(0.1);
    expect(config.optimizer).toMatchObject({ beta1: 0.5, beta2: 0.7 });
    expect(config.lora.targets).toEqual(['q_proj']);
    expect(config.data).toEqual(['c']);
  });

  test('a preset lies under the other layers', () => {
    const config = resolveConfig(pretrainSchema, [
      objectLayer(pretrainPresets['tiny-quick'] ?? {}),
      assignmentLayer(['schedule.warmup=5']),
    ]);
    expect(config).toMatchObject({ steps: 1200, batchTokens: 2500 });
    expect(config.schedule).toEqual({ kind: 'linear', warmup: 5, decay: 0.25, floor: 0.03 });
  });

  test('every preset is valid', () => {
    for (const preset of Object.values(pretrainPresets)) resolveConfig(pretrainSchema, [objectLayer(preset)]);
  });

  test('a resolved config resolves to itself', () => {
    for (const [schema, options] of [
      [sftSchema, { data: ['x'] }],
      [rewardSchema, { data: ['x'] }],
      [pretrainSchema, {}],
    ] as const) {
      const once = resolveConfig(schema as typeof sftSchema, [objectLayer(options)]);
      expect(resolveConfig(schema as typeof sftSchema, [objectLayer(once)])).toEqual(once);
    }
  });

  test('merging changes neither side', () => {
    const under = { a: { b: 1 } };
    const over = { a: { c: 2 } };
    expect(merge(under, over)).toEqual({ a: { b: 1, c: 2 } });
    expect([under, over]).toEqual([{ a: { b: 1 } }, { a: { c: 2 } }]);
  });
});

describe('problems', () => {
  test('all are said at once, each with file and line', () => {
    const file = yaml('# a comment\nlr: fast\noptimizer:\n  beta1: 2\n  weigthDecay: 0.1\nsteps: 1.5\ndata: [x]\n');
    const said = problems(() =>
      resolveConfig(sftSchema, [yamlLayer(file), assignmentLayer(['lora.rank=0', 'nonsense'])]),
    );
    expect(said.sort()).toEqual(
      [
        `  ${file}:2: lr: expected number, received "fast"`,
        `  ${file}:4: optimizer.beta1: Too big: expected number to be <1, received 2`,
        `  ${file}:5: unknown key "optimizer.weigthDecay"; did you mean "optimizer.weightDecay"?`,
        `  ${file}:6: steps: expected int, received 1.5`,
        '  --set lora.rank: lora.rank: Too small: expected number to be >=1, received 0',
        '  --set nonsense: expected key=value, for example --set optimizer.weightDecay=0.1',
      ].sort(),
    );
  });

  test('an unknown key that is near nothing lists the known ones', () => {
    const said = problems(() => resolveConfig(sftSchema, [objectLayer({ data: ['x'], schedule: { banana: 1 } })]));
    expect(said).toEqual(['  options: unknown key "schedule.banana"; known keys: kind, warmup, decay, floor']);
  });

  test('a mistyped --set key is suggested', () => {
    const said = problems(() =>
      resolveConfig(sftSchema, [objectLayer({ data: ['x'] }), assignmentLayer(['checkpointEvry=3'])]),
    );
    expect(said).toEqual(['  --set checkpointEvry: unknown key "checkpointEvry"; did you mean "checkpointEvery"?']);
  });

  test('malformed YAML is reported with its line, duplicates included', () => {
    const broken = yaml('lr: 1\nlr: 2\n');
    expect(problems(() => resolveConfig(sftSchema, [yamlLayer(broken), objectLayer({ data: ['x'] })]))).toEqual([
      expect.stringMatching(/:2: .*unique/),
    ]);
    const list = yaml('- a\n- b\n');
    expect(problems(() => resolveConfig(sftSchema, [yamlLayer(list), objectLayer({ data: ['x'] })]))).toEqual([
      `  ${list}:1: expected "key: value" lines at the top of the file`,
    ]);
  });

  test('an empty YAML file is no options', () => {
    expect(resolveConfig(pretrainSchema, [yamlLayer(yaml('# nothing\n'))]).steps).toBe(1000);
  });

  test('a missing YAML file names itself', () => {
    expect(() => yamlLayer('/nowhere/x.yaml')).toThrow(/Cannot read the config file \/nowhere\/x.yaml/);
  });

  test('training data is needed', () => {
    expect(problems(() => resolveConfig(sftSchema, []))).toEqual([
      '  options: data: expected at least one file (--data FILE), received []',
    ]);
  });

  test('--set cannot reach a prototype', () => {
    expect(assignmentLayer(['__proto__.x=1']).problems).toHaveLength(1);
    expect(({} as { x?: number }).x).toBeUndefined();
  });
});

describe('schema', () => {
  test('every field has help, and no path comes twice', () => {
    for (const schema of [sftSchema, rewardSchema, pretrainSchema]) {
      const all = fields(schema);
      expect(all.filter((field) => field.help === '')).toEqual([]);
      expect(new Set(all.map((field) => field.path)).size).toBe(all.length);
    }
  });

  test('the keys of the public contract exist', () => {
    for (const schema of [sftSchema, rewardSchema, pretrainSchema]) {
      const paths = fields(schema).map((field) => field.path);
      for (const key of ['steps', 'checkpointEvery', 'seed', 'lr', 'run', 'model', 'data', 'threads', 'dtype']) {
        expect(paths).toContain(key);
      }
    }
  });

  test('differing keys leave out what does not alter results', () => {
    const a = resolveConfig(sftSchema, [objectLayer({ data: ['x'] })]);
    const b = { ...a, lr: 1, threads: 7, run: 'elsewhere', optimizer: { ...a.optimizer, beta1: 0.1 } };
    expect(differingKeys(sftSchema, a, b)).toEqual(['lr', 'optimizer.beta1']);
  });
});

describe('suggest', () => {
  test('counts edits, a swap as one', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('setps', 'steps')).toBe(1);
    expect(editDistance('', 'abc')).toBe(3);
  });

  test('is a metric on random words', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        const d = editDistance(a, b);
        return d === editDistance(b, a) && (d === 0) === (a === b) && d <= Math.max(a.length, b.length);
      }),
    );
  });

  test('stays silent when nothing is near', () => {
    expect(suggest('banana', ['lr', 'steps'])).toBeUndefined();
    expect(suggest('Steps', ['lr', 'steps'])).toBe('steps');
  });
});
