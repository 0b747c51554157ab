export { type Document, matureStage, pretrainDocument, type Stage } from './documents.js';
export { drawSpec, type SpecMix } from './generate.js';
export { promptText } from './prompts.js';
export { answerOf, drawForm, drawStyle, prefixOf, renderFunction, type Style } from './render.js';
export { type FamilyPrompt, type FamilySpec, type Role, type StepId, stepIds } from './spec.js';
export { heldSteps, type Pool } from './splits.js';
export { type Condition, type Form, parameterTypes, type Step, steps } from './steps.js';
