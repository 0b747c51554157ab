import { z } from 'zod';
import { type EnsembleConfig, ensembleShape } from './ensemble.js';
import { type LlmConfig, llmShape } from './llm.js';
import { type ConfigSchema, group, type Shape } from './schema.js';

/** Options of teachers that have some. */
export interface TeacherConfig {
  ensemble: EnsembleConfig;
  llm: LlmConfig;
}

export const teacherSchema: ConfigSchema<TeacherConfig> = z.strictObject({
  ensemble: group(ensembleShape()),
  llm: group(llmShape()),
} satisfies Shape<TeacherConfig>);
