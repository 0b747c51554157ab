export { type AnswerStore, inMemory, type Usage } from './answers.js';
export { Budget } from './budget.js';
export { type Answered, type Endpoint, LlmClient, type LlmClientOptions, type Question } from './client.js';
