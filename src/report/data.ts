import type { Difference, Estimate } from '../evaluation/estimate.js';
import type { Metrics } from '../run/run.js';

/**
 * All that a report shows. What a profile does not measure is left out, and so is its section. Rates are shares, 0 to 1. Strings may be
 * hostile (models write them): the report escapes every one.
 */
export interface ReportData {
  title: string;
  /** What was trained on what, in a sentence or two. */
  about?: string;
  /** The command that makes this report again. */
  command?: string;
  /** The first one is the primary end point: the verdict is written from it. */
  comparisons?: Comparison[];
  setup?: Setup;
  /** Base, SFT and the arms, in the order of the table. */
  arms?: ArmResult[];
  sft?: SftResult;
  rewardModel?: RewardModelResult;
  /** The base model's gate, one entry a k and one for all of them. */
  gate?: GateResult[];
  curves?: Curve[];
  /** What is drawn of the curves; `defaultCharts` when left out. Charts without a point are left out. */
  charts?: readonly Chart[];
  credit?: CreditResult;
  trials?: Trial[];
  samples?: SampleView[];
  /** "What this does not show", one statement each. */
  limits?: string[];
}

/** `arm` minus `control`, paired by prompt (and seed). */
export interface Comparison {
  arm: string;
  control: string;
  /** What was compared, e.g. `FS@1 on test prompts`. */
  metric: string;
  difference: Difference;
}

/** How the report was made. */
export interface Setup {
  /** When, as an ISO date. */
  made?: string;
  profile?: string;
  /** Label → value, e.g. `{ processor: '…', threads: '2', 'instruction set': 'avx512_bf16' }`. */
  machine?: Readonly<Record<string, string>>;
  /** Name → version, e.g. `{ srcode: '0.2.0', node: '20.19.1', judge: '…', teacher: '…' }`. */
  versions?: Readonly<Record<string, string>>;
  /** The resolved configuration: shown as YAML. */
  config?: unknown;
  phases?: { name: string; seconds: number }[];
}

export interface ArmResult {
  /** What comparisons, curves, trials and samples call it. */
  name: string;
  /** What it is, in a sentence. */
  about?: string;
  seeds: number;
  overall: Scores;
  /** `{ by: 'k', group: '2' }`, `{ by: 'carry', group: 'held-out steps' }`; a table for each `by`, in order of appearance. */
  groups?: { by: string; group: string; scores: Scores }[];
}

/** What executing the answers to test prompts showed. */
export interface Scores {
  /** Functional tests and security tests pass. */
  fs1: Estimate;
  functional: Estimate;
  /** Of the functional answers, those that no attack breaks. */
  secureOfValid: Estimate;
  /** Steps of the task that an answer leaves out, per answer. */
  missing?: number;
  /** Repeated guards per answer. */
  repeated?: number;
  /** Mean length in tokens. */
  length?: number;
  /** KL from the reference policy, nats per answer. */
  kl?: number;
}

export interface SftResult {
  /** `LoRA`, `full`. */
  method?: string;
  /** Balanced accuracy of telling secure from insecure code. */
  detection?: Change;
  /** Share of repairs that pass the functional and the security tests. */
  repair?: Change;
  /** Functional rate of generation: shows whether generation outlived SFT. */
  functional?: Change;
}

export interface Change {
  before: Estimate;
  after: Estimate;
}

export interface RewardModelResult {
  /** Share of held-out pairs whose chosen answer scores higher. */
  accuracy: Estimate;
  /** Pairs whose rejected answer is broken code, among them. */
  broken?: Estimate;
}

export interface GateResult {
  k: number | 'all';
  functional: Estimate;
  secureOfValid: Estimate;
  /** Functional rate that the base must reach, where this entry asks for one. */
  atLeast?: number;
  /** Range in which secure of valid must lie, where this entry asks for it: room to learn. */
  secureWithin?: readonly [number, number];
  /** Whether what is asked holds. A k that failed is marked in every table. */
  met: boolean;
}

/** metrics.jsonl of one run. */
export interface Curve {
  arm: string;
  seed: number;
  rows: (Metrics & { step: number })[];
}

export interface Chart {
  /** The metric's path in {@link Curve.rows}. */
  path: string;
  title: string;
  /** Written beside the title, e.g. `nats`. */
  unit?: string;
}

export interface CreditResult {
  /** Share of credited spans whose mutation lets an attack succeed. */
  causalPrecision?: Estimate;
  /** The same for each kind of defence. */
  byKind?: { kind: string; precision: Estimate }[];
  /** Share of functional answers where teacher and execution agree. */
  agreement?: Estimate;
}

/** One tuning trial, on validation prompts. */
export interface Trial {
  arm: string;
  settings: Readonly<Record<string, number | string>>;
  fs1: Estimate;
  chosen: boolean;
}

/** A sampled program for the token heat map: a row of PPO's samples.jsonl with its arm. The arrays have one entry a sampled token. */
export interface SampleView {
  /** The prompt's id. */
  id: string;
  arm: string;
  /** Iteration that sampled it. */
  step?: number;
  prompt: string;
  /** Program text before the answer that is not the model's: the signature in completion mode. */
  prefix?: string;
  /** The tokens' texts (`tokenTexts`); special tokens by their names. */
  tokens: string[];
  /** r_t. */
  reward: number[];
  /** A_t, whitened. */
  advantage: number[];
  /** |weight| with which the token's grad log π entered the first policy gradient. */
  weight: number[];
  /** What r_t is the sum of, e.g. `{ bonus, penalty, sequence, KL }`. */
  parts?: Readonly<Record<string, number[]>>;
  /** Tokens that the teacher credits. */
  secure?: boolean[];
  /** By execution; null where nothing ran it. */
  compiled?: boolean | null;
  functional?: boolean | null;
  /** By the teacher. */
  secureVerdict?: boolean;
  /** The teacher's findings and what execution showed, in words. */
  findings?: string[];
  missing?: string[];
}
