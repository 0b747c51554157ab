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
  const ends = new Map<number, number | undefined>();
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start)) {
    if (!ends.has(start)) findEnds(text, start, ends);
    const end = ends.get(start);
    if (end !== undefined) objects.push(JSON.parse(text.slice(start, end)));
    start = end ?? start + 1;
  }
  return objects;
}

type Next = 'value' | 'value or ]' | 'key' | 'key or }' | ':' | ', or end';

/**
 * Finds where the object that begins at `start` ends, and every one in it that is met: undefined for what is no whole object. An object in
 * which this one fails fails at the same place, so none is looked at twice but for braces in what this one takes for a string: a text of any
 * kind costs two looks at each character.
 */
function findEnds(text: string, start: number, ends: Map<number, number | undefined>): void {
  /** Where the objects and lists that are open began. */
  const open: number[] = [];
  let next: Next = 'value';
  for (let at = behind(blanks, text, start); ; at = behind(blanks, text, at)) {
    const char = text[at];
    const isList = text[open.at(-1) ?? start] === '[';
    if (char === (isList ? ']' : '}') && next !== 'key' && next !== 'value' && next !== ':') {
      const opened = open.pop() as number;
      if (!isList) ends.set(opened, at + 1);
      if (open.length === 0) return;
      next = ', or end';
      at++;
    } else if (next === ', or end' || next === ':') {
      if (char !== (next === ':' ? ':' : ',')) return;
      next = next === ':' || isList ? 'value' : 'key';
      at++;
    } else if (next === 'key' || next === 'key or }') {
      const end = char === '"' ? behindString(text, at) : at;
      if (end === at) return;
      next = ':';
      at = end;
    } else if (char === '{' || char === '[') {
      if (char === '{') ends.set(at, undefined);
      open.push(at);
      next = char === '{' ? 'key or }' : 'value or ]';
      at++;
    } else {
      const end = char === '"' ? behindString(text, at) : behind(word, text, at);
      if (end === at) return;
      next = ', or end';
      at = end;
    }
  }
}

const blanks = /[ \t\n\r]*/y;
const escaped = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;
const word = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** Behind what a pattern finds at a place; the place itself where it finds nothing. */
function behind(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** Behind the string that begins at a place; the place itself where it is none. No pattern, as one of megabytes would overflow its stack. */
function behindString(text: string, at: number): number {
  for (let i = at + 1; i < text.length; ) {
    const char = text[i] as string;
    if (char === '"') return i + 1;
    const next = char === '\\' ? behind(escaped, text, i) : char < ' ' ? i : i + 1;
    if (next === i) return at;
    i = next;
  }
  return at;
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
