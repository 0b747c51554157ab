import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { objectLayer } from '../config/layers.js';
import { type PpoConfig, ppoSchema } from '../config/ppo.js';
import { resolveConfig } from '../config/resolve.js';
import type { Options } from '../config/schema.js';
import { audit } from '../evaluation/audit.js';
import { evaluate } from '../evaluation/evaluate.js';
import { readInput, writeOwn } from '../files.js';
import { Model } from '../native/model.js';
import { Phases } from '../phases.js';
import { type Metrics, Run, type RunResult } from '../run/run.js';
import { loadTask } from '../tasks/load.js';
import type { Task } from '../tasks/task.js';
import { teacherOf } from '../tasks/teachers.js';
import { Verdicts } from '../tasks/verdicts.js';
import type { Teacher } from '../teacher/teacher.js';
import { Tokenizer } from '../tokenizer/index.js';
import { type Hooks, noticeOf } from './hooks.js';
import { isDue, type Learned, trainLoop } from './loop.js';
import { type CrossCheck, crossCheck, warningOf } from './ppo/cross-check.js';
import { collect, type Experience, type PpoState, type Stage } from './ppo/experience.js';
import { nextBeta } from './ppo/kl.js';
import { ppoMetrics } from './ppo/ppo-metrics.js';
import { sampleRows } from './ppo/sample-rows.js';
import { castOf, loadAdapters, saveAdapters, trainersOf } from './ppo/stage.js';
import { update } from './ppo/update.js';
import { learningRate } from './schedule.js';
import { checkVocabulary, machineOf, modelOptions, tokensIn } from './setup.js';

export interface PpoHooks extends Hooks {
  /** What the policy is trained on, in place of the one that `task` names. */
  task?: Task;
}

/**
 * Proximal policy optimisation with token-level rewards (Algorithm 1, Eq. 1-10 of arXiv 2602.23407). An iteration, which is a step of the
 * run, samples answers to fresh prompts, has them judged and rewarded, and updates the policy, an adapter, on them. What teacher and judge
 * said is journalled, so that a resumed run sees the same. Checkpoints are PEFT folders.
 */
export async function ppo(options: Options<PpoConfig>, hooks: PpoHooks = {}): Promise<RunResult> {
  const named = hooks.task === undefined ? options : { ...options, task: hooks.task.name };
  const config = resolveConfig(ppoSchema, [objectLayer(named)]);
  const onNotice = noticeOf(hooks);
  hooks.signal?.throwIfAborted();
  using run = Run.open(config.run, {
    ...{ program: 'ppo', schema: ppoSchema, config, resume: hooks.resume ?? false, onNotice },
  });
  if (run.finished) return run.result(true);

  const from = run.checkpoint?.path;
  const task = hooks.task ?? (await loadTask(config.task, config));
  const { llm, ensemble } = config;
  const teacher = await teacherOf(config.teacher, {
    ...{ own: task.teacher, store: run.journal, llm, ensemble, unsafe: config.unsafe },
  });
  const tokenizer = await Tokenizer.load(config.model);
  using model = await Model.load(config.model, modelOptions(config));
  checkVocabulary(model, tokenizer, config.model);

  const { iterations, criticWarmup } = config;
  const steps = criticWarmup + iterations;
  run.begin(machineOf(model), promptsHash(task, teacher, config), steps);
  const cast = castOf(config);
  await loadAdapters(model, config, cast, from);
  using trainers = trainersOf(model, config, cast);
  if (from !== undefined) await trainers.load(from);

  const stage: Stage = { config, model, tokenizer, cast, verdicts: new Verdicts(task, run.journal, teacher) };
  const state = from === undefined ? { beta: config.kl.coefficient, normalizer: undefined } : readState(from);
  let warned = false;
  let doubted = false;
  const checks: CrossCheck[] = [];

  const iterate = async (step: number, criticLr: number): Promise<Learned> => {
    const phases = new Phases();
    const { beta } = state;
    const experience = await collect(stage, step, state, phases);
    const moving = step - criticWarmup;
    const policyLr = moving < 0 ? undefined : learningRate(config.lr, config.schedule, moving, iterations);
    const lr = { policy: policyLr, critic: criticLr * ((config.criticLr ?? config.lr) / config.lr) };
    const updated = await phases.time('update', () => update(trainers, experience, config, { step, beta, lr }));

    const due = step === 0 || step + 1 === steps || isDue(step + 1, config.evalEvery);
    const credit = due ? await phases.time('audit', () => auditCredit(stage, experience, step)) : {};
    const check = await phases.time('check', () => crossCheck(stage, experience, step));
    if (check !== undefined) checks.push(check);
    const doubt = warningOf(checks.slice(-warningIterations));
    if (doubt !== undefined && !doubted) {
      doubted = true;
      onNotice({ level: 'warn', message: doubt });
    }
    const metrics = { ...ppoMetrics(experience, updated, beta), ...credit, ...check?.metrics };
    const kl = metrics['rollout/kl'] ?? 0;
    if (kl < 0 && config.topP < 1 && config.kl.estimator === 'k1' && !warned) {
      warned = true;
      onNotice({ level: 'warn', message: negativeKl(kl, config) });
    }
    if (policyLr !== undefined) state.beta = nextBeta(beta, kl, experience.rollouts.length, config.kl.adaptive);
    if (due) for (const row of sampleRows(experience, stage, { step: step + 1, beta })) run.sample(row);
    return {
      ...{ loss: updated.loss, gradNorm: updated.gradNorm, tokens: tokensIn(experience.sequences) },
      skipped: updated.skipped > 0,
      ...(updated.skippedBecause && { skippedBecause: updated.skippedBecause }),
      metrics: { ...metrics, 'train/lr': policyLr ?? 0 },
      phases: phases.seconds,
      counts: phases.counts,
    };
  };

  // Awaited here: `using` would close the run at once otherwise.
  return await trainLoop(run, steps, config, hooks, {
    learn: iterate,
    measure: () => heldOut(stage),
    memory: () => model.memoryPlan(),
    save: async (dir) => {
      await saveAdapters(model, cast, dir);
      await trainers.save(dir);
      writeOwn(join(dir, stateFile), `${JSON.stringify(state, null, 1)}\n`);
    },
  });
}

/** How the policy answers validation prompts, the same ones each time. */
async function heldOut({ config, model, tokenizer, cast, verdicts }: Stage): Promise<Metrics> {
  if (config.evalPrompts === 0) return {};
  const { template, maxNewTokens, temperature, topP, evalPrompts: n } = config;
  const { summary } = await evaluate({
    ...{ model, tokenizer, adapter: cast.policy, task: verdicts.task, split: 'validation', verdicts },
    ...{ n, template, maxNewTokens, temperature, topP },
  });
  const { functional, fs, secureOfValid, missing, repeated, foreign, length } = summary.all;
  return {
    ...{ 'heldout/functional': functional, 'heldout/fs': fs, 'heldout/missing': missing, 'heldout/repeated': repeated },
    ...{ 'heldout/foreign': foreign, 'heldout/length': length },
    ...(secureOfValid !== null && { 'heldout/secure-of-valid': secureOfValid }),
  };
}

/** Iterations whose cross-checks together may give a warning. */
const warningIterations = 5;

/** Answers of an iteration whose credit is audited. */
const audited = 16;

/** Whether what the teacher credits in an iteration's answers is what keeps attacks away, on a few mutants of them. */
async function auditCredit({ config, verdicts }: Stage, { rollouts }: Experience, step: number): Promise<Metrics> {
  const { task, teacher } = verdicts;
  const { auditMutants: mutants, seed } = config;
  // The task's mutants lack what its own teacher credits.
  if (mutants === 0 || teacher !== task.teacher || task.judge === undefined || task.mutants === undefined) return {};
  const { agreement, precision } = await audit({
    ...{ task, samples: rollouts.slice(0, audited), mutants, seed: seed + step, verdicts },
  });
  return {
    'credit/mutants': precision.n,
    ...(precision.n > 0 && { 'credit/precision': precision.value }),
    ...(agreement.n > 0 && { 'credit/agreement': agreement.value }),
  };
}

const stateFile = 'ppo.json';

function readState(checkpoint: string): PpoState {
  const file = join(checkpoint, stateFile);
  const state = JSON.parse(readInput(file).toString('utf8')) as Partial<PpoState> & { beta: number };
  return { beta: state.beta, normalizer: state.normalizer };
}

/** Tells a run's prompts and oracles from other ones. */
function promptsHash(task: Task, teacher: Teacher, { seed, prompts }: PpoConfig): string {
  const first = Array.from({ length: prompts }, (_, index) => task.prompt('train', seed, index).text);
  return createHash('sha256')
    .update(JSON.stringify([task.name, task.version, teacher.id, ...first]))
    .digest('hex');
}

function negativeKl(kl: number, { topP }: PpoConfig): string {
  return (
    `The KL from the reference is ${kl.toFixed(3)} nats an answer. With topP ${topP} answers come from a truncated law, under which ` +
    'this estimate (kl.estimator k1) falls below 0 and rewards moving away; use topP 1 or kl.estimator k3.'
  );
}
