/** A text as one word of a shell's. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
