export { type Document, matureStage, pretrainDocument, type Stage } from './documents.js';
export {
  type DetectionPair,
  detectionPair,
  type LessonSplit,
  type PreferencePair,
  preferencePair,
  type RepairRow,
  repairRow,
  replayRow,
} from './lessons.js';
export { familyMutants } from './mutants.js';
export { familyProgram, familyPrompt, familyPromptOf, familyVersion, referenceAnswers } from './prompts.js';
export { answerOf, drawForm, drawStyle, prefixOf, renderFunction, type Style } from './render.js';
export { type FamilyPrompt, type FamilySpec, type Role, type StepId, stepIds } from './spec.js';
export { heldSteps } from './splits.js';
export { type Condition, type Form, parameterTypes, type Step, steps } from './steps.js';
export { familyTeacher } from './teacher.js';
