export type { Analyser, Analysis as AnalyserAnalysis, SourceCode } from './analysis/analyser.js';
export { analyserTeacher } from './analysis/analyser-teacher.js';
export { type Analysis, analyze, type Language, loadEngine } from './analysis/analysis.js';
export { embedded as embeddedAnalyser, embeddedTeacher } from './analysis/embedded.js';
export { openAnalysers } from './analysis/external/index.js';
export { type FileFindings, readSarif, type SarifLog, type SarifResult, toSarif } from './analysis/external/sarif.js';
export { analyzeMany, type EngineOutcome, type EngineQuestion } from './analysis/many.js';
export { ResultStore, stored, storedTeacher } from './analysis/result-store.js';
export {
  type BenchGenerateOptions,
  type BenchGenerateResult,
  type BenchKernelsOptions,
  type BenchKernelsResult,
  type BenchSftOptions,
  type BenchSftResult,
  type BenchSize,
  benchGenerate,
  benchKernels,
  benchSft,
  type KernelBenchRow,
} from './bench/index.js';
export type { EnsembleConfig } from './config/ensemble.js';
export type { LlmConfig } from './config/llm.js';
export { type PpoConfig, ppoPresets } from './config/ppo.js';
export type { PretrainConfig } from './config/pretrain.js';
export { pretrainPresets } from './config/pretrain.js';
export type { RewardConfig } from './config/reward.js';
export { type RewardOptions, rewardPresets } from './config/reward-options.js';
export type { Options } from './config/schema.js';
export type { SftConfig } from './config/sft.js';
export { SrcodeError } from './errors.js';
export { type Audit, type AuditOptions, audit, type Disagreement } from './evaluation/audit.js';
export type { Estimate } from './evaluation/estimate.js';
export {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationRow,
  evaluate,
  type Rates,
} from './evaluation/evaluate.js';
export {
  type Clip,
  kernels,
  type LoraUpdateInput,
  type PpoLossInput,
  type PpoLossResult,
  type TokenSpans,
} from './native/kernels.js';
export { Model } from './native/model.js';
export type { ModelConfig } from './native/model-config.js';
export { type SelftestRow, selftest } from './native/selftest.js';
export type { Trainer } from './native/trainer.js';
export { Phases } from './phases.js';
export {
  type QuickstartHooks,
  type QuickstartOptions,
  type QuickstartResult,
  quickstart,
} from './quickstart/quickstart.js';
export {
  type AnswerReward,
  answerBytes,
  answerReward,
  batchRewards,
  creditShare,
  type Expectation,
  type GuardReport,
  guardAnswers,
  type JudgedAnswer,
  type MarkedToken,
  markedTokens,
  tokensOf,
} from './reward/index.js';
export type { Metrics, Notice, RunResult, StepTime } from './run/run.js';
export { loadTask } from './tasks/load.js';
export type { Judgement, Mutant, Sample, Split, Task, TaskPrompt } from './tasks/task.js';
export { type TeacherOptions, teacherOf } from './tasks/teachers.js';
export type {
  Cwe,
  Finding,
  IdleGuard,
  JudgeOptions,
  SecureSpan,
  Severity,
  Span,
  Teacher,
  Verdict,
} from './teacher/teacher.js';
export { Tokenizer } from './tokenizer/index.js';
export type { Hooks, StepReport } from './training/hooks.js';
export { type PpoHooks, ppo } from './training/ppo.js';
export { pretrain } from './training/pretrain.js';
export { rewardModel } from './training/reward-model.js';
export { sft } from './training/sft.js';
export { version } from './version.js';
