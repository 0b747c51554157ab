/**
 * The words of a shell's simple command, quotes taken off (POSIX.1-2017, Shell Command Language, 2.2 and 2.3); undefined for a line that is
 * more than that: other commands, redirections, substitutions, parameters, or quotes without an end.
 */
export function words(line: string): string[] | undefined {
  const found: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const char = line[i] as string;
    if (quote === "'") {
      if (char === "'") quote = '';
      else word += char;
    } else if (char === '$' || char === '`') {
      return undefined;
    } else if (char === '\\') {
      const next = line[++i];
      if (next === undefined) return undefined;
      // Within double quotes a backslash is for these alone.
      word = (word ?? '') + (quote === '"' && !'"\\$`\n'.includes(next) ? `\\${next}` : next);
    } else if (quote === '"') {
      if (char === '"') quote = '';
      else word += char;
    } else if (char === "'" || char === '"') {
      quote = char;
      word ??= '';
    } else if (';|&<>()\n'.includes(char)) {
      return undefined;
    } else if (char === ' ' || char === '\t') {
      if (word !== undefined) found.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== '') return undefined;
  if (word !== undefined) found.push(word);
  return found;
}
