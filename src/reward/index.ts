export { type AnswerBytes, answerBytes, type PlacedAnswer, tokensOf } from './answer.js';
export { type CreditShare, creditShare } from './credit.js';
export {
  type Expectation,
  type Guard,
  type GuardedAnswer,
  type GuardReport,
  guardAnswers,
  guardGrade,
} from './guards.js';
export { type MarkedToken, markedTokens } from './marked-tokens.js';
export { type AnswerReward, answerReward, batchRewards, type JudgedAnswer, type RewardBreakdown } from './reward.js';
