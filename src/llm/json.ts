/**
 * The JSON object of an answer: the whole text, or the only object in it, whatever prose, fence or `<think>` part stands round it. With
 * several objects none is taken: one of them may be quoted from what the model was asked about.
 */
export function jsonObject(text: string): { value: unknown } | { problem: string } {
  const whole = parsed(text);
  if (whole !== undefined) return { value: whole };
  const objects = topLevelObjects(text.replace(/^\s*<think>[\s\S]*?<\/think>/, ''));
  if (objects.length === 1) return { value: objects[0] };
  return {
    problem: objects.length === 0 ? 'it holds no whole JSON object' : `it holds ${objects.length} JSON objects`,
  };
}

function topLevelObjects(text: string): unknown[] {
  const objects: unknown[] = [];
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start)) {
    const end = closing(text, start);
    const value = end === undefined ? undefined : parsed(text.slice(start, end));
    if (value !== undefined) objects.push(value);
    start = value === undefined ? start + 1 : (end as number);
  }
  return objects;
}

/** Behind the brace that closes the one at `start`. */
function closing(text: string, start: number): number | undefined {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (char === '"') {
      for (i++; i < text.length && text[i] !== '"'; i++) if (text[i] === '\\') i++;
    } else if (char === '{') {
      depth++;
    } else if (char === '}' && --depth === 0) {
      return i + 1;
    }
  }
  return undefined;
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
