/** How the embedded model reads a prompt: between ChatML's two markers; its answer follows and ends with EOS. */
export const tinyTemplate: string = '<|im_start|>{prompt}<|im_end|>';

/** Puts a prompt where a template says `{prompt}`. */
export function applyTemplate(template: string, prompt: string): string {
  return template.replace('{prompt}', () => prompt);
}
