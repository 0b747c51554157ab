import type { SyntaxNode } from '../syntax/node.js';

/** Code changed so that it parses, with the way back to its positions. */
export interface Repaired {
  readonly text: string;
  /** Where a position of the changed text is in the code. */
  position(at: number): number;
}

/**
 * Changes code that does not parse, as its macros are declared elsewhere: words that annotate a declaration are left out, a macro that
 * loops becomes a loop, one that is a statement gets its semicolon, a definition without a type gets one, and of conditional code that
 * cuts through a statement one branch stays. What was cut off ends with its last whole statement. Only the parts of `root` that are
 * broken are changed.
 */
export function repair(text: string, root: SyntaxNode): Repaired {
  const broken = brokenParts(root, text.length);
  const resolved = resolveConditions(text, broken);
  const closed = closeBlocks(resolved);
  return apply(closed, edits(tokensOf(closed), broken));
}

interface Part {
  readonly start: number;
  readonly end: number;
}

interface Edit extends Part {
  readonly text: string;
}

/** A token; comments and directives are none. */
interface Token extends Part {
  readonly text: string;
  readonly word: boolean;
  /** The first one on its line. */
  readonly first: boolean;
  /** A directive stands between the one before and this one. */
  readonly behindDirective: boolean;
}

// Top-level items that do not parse, each with the room around it: a broken item may end too early.
function brokenParts({ children, broken }: SyntaxNode, length: number): Part[] {
  const parts = children.flatMap((item, i) =>
    item.broken ? [{ start: children[i - 1]?.end ?? 0, end: children[i + 1]?.end ?? length }] : [],
  );
  return parts.length === 0 && broken ? [{ start: 0, end: length }] : merged(parts);
}

/** Parts that overlap or touch, as one. */
function merged(parts: readonly Part[]): Part[] {
  const whole: { start: number; end: number }[] = [];
  for (const { start, end } of [...parts].sort((a, b) => a.start - b.start)) {
    const last = whole.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else whole.push({ start, end });
  }
  return whole;
}

function within(parts: readonly Part[], at: number): boolean {
  const part = parts[firstFrom(parts, at + 1) - 1];
  return part !== undefined && at <= part.end;
}

/** The index of the first one that begins at a position or behind it; they are in order. */
function firstFrom(parts: readonly Part[], position: number): number {
  let [low, high] = [0, parts.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((parts[middle] as Part).start < position) low = middle + 1;
    else high = middle;
  }
  return low;
}

const lexeme =
  /\s+|\/\/(?:\\\r?\n|[^\n])*|\/\*[\s\S]*?(?:\*\/|$)|(?:u8|[uUL])?"(?:\\[\s\S]|[^"\\\n])*(?:"|(?=\n)|$)|'(?:\\[\s\S]|[^'\\\n])*(?:'|(?=\n)|$)|[A-Za-z_$][\w$]*|\.?\d(?:[eEpP][+-]|[\w.])*|->|\.\.\.|::|[\s\S]/y;

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let first = true;
  let behindDirective = false;
  for (let at = 0; at < text.length; ) {
    lexeme.lastIndex = at;
    const [found] = lexeme.exec(text) as RegExpExecArray;
    const start = at;
    at += found.length;
    if (/^\s/.test(found)) {
      first ||= found.includes('\n');
      continue;
    }
    if (/^\/[/*]/.test(found)) continue;
    if (found === '#' && first) {
      at = lineEnd(text, at);
      behindDirective = true;
      continue;
    }
    tokens.push({ text: found, start, end: at, word: /^[A-Za-z_$][\w$]*$/.test(found), first, behindDirective });
    first = false;
    behindDirective = false;
  }
  return tokens;
}

// The end of a directive: its line's, or a later one's behind backslashes.
function lineEnd(text: string, from: number): number {
  let end = text.indexOf('\n', from);
  while (end > from && text[text[end - 1] === '\r' ? end - 2 : end - 1] === '\\') end = text.indexOf('\n', end + 1);
  return end < 0 ? text.length : end;
}

// ---- conditional code

/** The directives of a condition: `#if`, any `#else`, `#endif`. */
interface Condition {
  readonly marks: Part[];
  readonly never: boolean;
}

/** Of each condition that cuts through statements or brackets one branch stays; the rest becomes white space. */
function resolveConditions(text: string, broken: readonly Part[]): string {
  if (!/^[ \t]*#[ \t]*if/m.test(text)) return text;
  const open: Condition[] = [];
  const gone: Part[] = [];
  const tokens = tokensOf(text);
  for (const match of text.matchAll(/^[ \t]*#[ \t]*(if|ifdef|ifndef|else|elif|endif)\b(.*)/gm)) {
    const mark = { start: match.index, end: lineEnd(text, match.index) };
    const kind = match[1] as string;
    if (kind.startsWith('if')) open.push({ marks: [mark], never: /^\s*0\s*$/.test(match[2] as string) });
    else open.at(-1)?.marks.push(mark);
    if (kind !== 'endif') continue;
    const condition = open.pop();
    if (condition === undefined || !condition.marks.some(({ start }) => within(broken, start))) continue;
    if (!cuts(tokens, condition)) continue;
    const { marks, never } = condition;
    const kept = never && marks.length > 2 ? 1 : 0;
    for (const [i, { start, end }] of marks.entries()) {
      const part = { start, end: i === kept ? end : (marks[i + 1]?.start ?? end) };
      gone.push(part);
      tokens.splice(firstFrom(tokens, part.start), firstFrom(tokens, part.end) - firstFrom(tokens, part.start));
    }
  }
  let changed = '';
  let from = 0;
  for (const { start, end } of merged(gone)) {
    changed += text.slice(from, start) + text.slice(start, end).replace(/[^\n]/g, ' ');
    from = end;
  }
  return changed + text.slice(from);
}

function cuts(tokens: readonly Token[], { marks }: Condition): boolean {
  const [from, to] = [(marks[0] as Part).start, (marks.at(-1) as Part).end];
  const before = tokens[firstFrom(tokens, from) - 1]?.text ?? ';';
  if (!/^[;{}:]$|^"C"$/.test(before) || tokens[firstFrom(tokens, to)]?.text === 'else') return true;
  return marks.slice(1).some((mark, i) => {
    const branch = tokens.slice(firstFrom(tokens, (marks[i] as Part).end), firstFrom(tokens, mark.start));
    let depth = 0;
    for (const { text } of branch) {
      if (/^[([{]$/.test(text)) depth++;
      else if (/^[)\]}]$/.test(text) && --depth < 0) return true;
    }
    const [head, tail] = [branch[0], branch.at(-1)];
    return depth !== 0 || head?.text === 'else' || (tail !== undefined && !/^[;{}:,]$/.test(tail.text));
  });
}

// ---- words

const control = new Set(
  'if else for while do switch case default return goto break continue sizeof typedef asm __asm__'.split(' '),
);
const qualifiers = new Set(
  'const volatile static extern inline register restrict auto signed unsigned long short __inline __inline__ __restrict __restrict__ __const __volatile__ _Atomic _Noreturn _Thread_local __thread thread_local constexpr virtual explicit friend mutable typename'.split(
    ' ',
  ),
);
const primitive = new Set('void char int float double bool _Bool size_t ssize_t wchar_t'.split(' '));
const tags = new Set(['struct', 'union', 'enum', 'class']);
const loops = /for_?each|_iter(ate)?(_|$)|loop/i;
const annotation =
  /^__(?!u\d|s\d|[bl]e\d|int\d|typeof)|(Export|EXPORT|API|_DECL|INLINE|STATIC|_restrict|_ATTR|CALLBACK)$/;
const shouted = /^[A-Z][A-Z0-9]*_[A-Z0-9_]*$/;

/** What has to change so that it parses. */
function edits(tokens: readonly Token[], broken: readonly Part[]): Edit[] {
  const found: Edit[] = [];
  const edit = (start: number, end: number, text: string): void => {
    if (within(broken, start)) found.push({ start, end, text });
  };
  const partner = brackets(tokens);
  const at = (i: number): string => tokens[i]?.text ?? '';
  /** What each open bracket is: a block's brace is `{`, that of a list or record `=`. */
  const open: string[] = [];
  let blocks = 0;
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i] as Token;
    const { text } = token;
    if (text === '{') {
      const opened = isBlock(at(i - 1)) ? '{' : '=';
      open.push(opened);
      if (opened === '{') blocks++;
    } else if (text === '(') open.push(isCallee(tokens[i - 1]) ? 'call' : '(');
    else if (text === '[') open.push('[');
    else if (/^[)\]}]$/.test(text) && open.pop() === '{') blocks--;
    const inside = open.at(-1);
    const block = inside === '{';
    const starts =
      (inside === undefined || inside === '=' || block) && (i === 0 || startsStatement(tokens, i, partner));
    if (text === ')' && block) {
      const name = tokens[(partner.get(i) ?? 0) - 1];
      const next = tokens[i + 1];
      // A statement without its semicolon.
      if (name?.word && !control.has(name.text) && !loops.test(name.text) && next?.first) {
        if (next.word || next.text === '}') edit(token.end, token.end, ';');
      }
    }
    const inParentheses = inside === '(' || inside === 'call';
    if (/^[(,]$/.test(text) && inside === 'call' && blocks > 0) {
      const argument = typeFrom(tokens, i + 1);
      if (argument !== undefined) edit(argument.start, argument.end, 'T');
    }
    if (text === '...' && block) {
      const colon = tokens.slice(i, i + 8).find((other) => other.text === ':');
      if (colon !== undefined) edit(token.start, colon.start, '');
    }
    if (!token.word || control.has(text)) continue;
    if (starts && block && token.first && tokens[i + 1]?.first && isLoneMacro(tokens, i, partner)) {
      edit(token.start, token.end, '');
      continue;
    }
    if (starts && at(i + 1) === ':' && block && tokens[i + 2]?.behindDirective) {
      edit(tokens[i + 1]?.end as number, tokens[i + 1]?.end as number, ';');
      continue;
    }
    const end = at(i + 1) === '(' ? partner.get(i + 1) : undefined;
    if (starts && end !== undefined && !tags.has(text)) {
      const next = at(end + 1);
      if (inside === undefined && tokens[end + 1]?.word && !isOldStyle(tokens, i + 1, end)) {
        edit(token.start, (tokens[end] as Token).end, '');
        i = end;
        continue;
      }
      if (inside === undefined && (next === '{' || isOldStyle(tokens, i + 1, end))) {
        edit(token.start, token.start, 'int ');
        // What is no word is no parameter.
        for (let j = i + 2; j < end; j++)
          if (/^[\d"']/.test(at(j))) edit((tokens[j - 1] as Token).end, (tokens[j] as Token).end, ' p');
        continue;
      }
      if (block && loops.test(text) && next !== ';') {
        edit(token.start, token.start, 'for (;');
        for (let j = i + 2; j < end; j++)
          if (tokens[j]?.word && /^[(,]$/.test(at(j - 1)) && /^[),]$/.test(at(j + 1)))
            edit((tokens[j] as Token).start, (tokens[j] as Token).start, '&');
        edit((tokens[end] as Token).end, (tokens[end] as Token).end, ';)');
        continue;
      }
      if (block && next === '{') {
        edit((tokens[end] as Token).end, (tokens[end] as Token).end, ';');
        continue;
      }
    }
    if (tokens[i - 1]?.word && !control.has(at(i - 1))) continue; // not the first of its row
    const row = rowFrom(tokens, i);
    const [given, last] = [partner.get(i + row.length), row.at(-1) as Token];
    const called = given !== undefined && at(i + row.length) === '(' && tokens[given + 1]?.word;
    if (starts && inside === undefined && row.length > 1 && called) {
      if (!isOldStyle(tokens, i + row.length, given)) {
        edit(last.start, (tokens[given] as Token).end, '');
        i = given;
        continue;
      }
    }
    const behindCall = inParentheses && isCallee(tokens[(partner.get(i - 1) ?? 0) - 1]);
    const idle = idleWords(row, at(i - 1), at(i + row.length), starts, inParentheses, blocks > 0, behindCall);
    for (const word of idle) edit(word.start, word.end, '');
    i += row.length - 1;
  }
  return found;
}

function rowFrom(tokens: readonly Token[], from: number): Token[] {
  const row: Token[] = [];
  for (let i = from; tokens[i]?.word && !control.has(tokens[i]?.text as string); i++) row.push(tokens[i] as Token);
  return row;
}

/** The words of a row that are neither its type nor the name that it declares. */
function idleWords(
  row: readonly Token[],
  before: string,
  after: string,
  starts: boolean,
  inParentheses: boolean,
  inFunction: boolean,
  behindCall: boolean,
): Token[] {
  if (before === ')') return behindCall && /^[,)]$/.test(after) ? row.filter(({ text }) => shouted.test(text)) : [];
  const glued = row.filter(({ text }, i) => text.endsWith('_') && i < row.length - 1);
  let names = row.filter(({ text }) => !qualifiers.has(text) && !text.endsWith('_'));
  let typed = row.some(({ text }) => /^(un)?signed$|^long$|^short$/.test(text));
  names = names.filter(({ text }, i) => {
    if (primitive.has(text)) typed = true;
    else if (!tags.has(text) && !tags.has(names[i - 1]?.text ?? '')) return true;
    else typed = true;
    return false;
  });
  const idle = [...glued];
  const last = names.at(-1);
  if (
    last !== undefined &&
    names.length > 1 &&
    inParentheses &&
    shouted.test(last.text) &&
    (inFunction || names.length > 2)
  ) {
    idle.push(last);
    names.pop();
  }
  const declares = before === '*' || !/^[*]$/.test(after);
  if (!starts && !inParentheses && before !== '*') return idle;
  const spare = names.slice(0, declares ? -1 : undefined);
  // A type, unless there is one already or a star is in front, is among them: the last that is no annotation.
  if (!typed && before !== '*') {
    const type = spare.findLastIndex(({ text }) => !annotation.test(text));
    spare.splice(type < 0 ? spare.length - 1 : type, 1);
  }
  return [...idle, ...spare];
}

function isCallee(token: Token | undefined): boolean {
  return token?.word === true && !control.has(token.text) && token.text !== 'offsetof';
}

/** An argument that is a type, which no grammar of expressions has: `struct s`, `unsigned int`, `char *`. */
function typeFrom(tokens: readonly Token[], from: number): Part | undefined {
  let to = from;
  while (tokens[to]?.word || tokens[to]?.text === '*') to++;
  const [first, last] = [tokens[from], tokens[to - 1]];
  if (first === undefined || last === undefined || to === from || !/^[,)]$/.test(tokens[to]?.text ?? ''))
    return undefined;
  const typed = tags.has(first.text) || qualifiers.has(first.text) || primitive.has(first.text);
  return first.word && (typed || last.text === '*') ? { start: first.start, end: last.end } : undefined;
}

// A word alone on its line, and no type of what the next line declares.
function isLoneMacro(tokens: readonly Token[], i: number, partner: ReadonlyMap<number, number>): boolean {
  const [next, after] = [tokens[i + 1]?.text ?? '', tokens[i + 2]?.text ?? ''];
  // `(void) f();`
  if (next === '(') return tokens[(partner.get(i + 1) ?? tokens.length) + 1]?.word ?? false;
  return control.has(next) || next === '}' || (/^\w/.test(next) && /^(\(|->|\.|\+\+|--|\[)$/.test(after));
}

function isBlock(before: string): boolean {
  return /^[){};:]$/.test(before) || before === '' || before === 'else' || before === 'do' || shouted.test(before);
}

function startsStatement(tokens: readonly Token[], i: number, partner: ReadonlyMap<number, number>): boolean {
  const before = (tokens[i - 1] as Token).text;
  if (/^[;{}:]$/.test(before) || before === 'else' || before === 'do') return true;
  if (before !== ')') return false;
  const head = tokens[(partner.get(i - 1) ?? 0) - 1]?.text ?? '';
  return /^(if|for|while|switch)$/.test(head) || loops.test(head);
}

// `f(a, b) int a; char *b; {`
function isOldStyle(tokens: readonly Token[], open: number, close: number): boolean {
  if (!tokens[close + 1]?.word) return false;
  for (let i = open + 1; i < close; i++) if (!tokens[i]?.word && tokens[i]?.text !== ',') return false;
  const behind = tokens.slice(close + 1, close + 100);
  return behind[behind.findIndex(({ text }) => text === '{') - 1]?.text === ';';
}

function brackets(tokens: readonly Token[]): Map<number, number> {
  const partner = new Map<number, number>();
  const open: number[] = [];
  for (const [i, { text }] of tokens.entries()) {
    if (/^[([{]$/.test(text)) open.push(i);
    else if (/^[)\]}]$/.test(text)) {
      const from = open.pop();
      if (from === undefined) continue;
      partner.set(from, i);
      partner.set(i, from);
    }
  }
  return partner;
}

function apply(text: string, edits: readonly Edit[]): Repaired {
  let changed = '';
  let from = 0;
  /** Where each piece of the changed text begins, and where that is in the code. */
  const pieces: { at: number; code: number; length: number }[] = [];
  for (const { start, end, text: instead } of [...edits].sort((a, b) => a.start - b.start)) {
    if (start < from) continue;
    pieces.push({ at: changed.length, code: from, length: start - from });
    changed += text.slice(from, start) + instead;
    from = end;
  }
  pieces.push({ at: changed.length, code: from, length: text.length - from });
  changed += text.slice(from);
  return {
    text: changed,
    position(at) {
      let [low, high] = [0, pieces.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if ((pieces[middle] as { at: number }).at <= at) low = middle;
        else high = middle - 1;
      }
      const { at: begin, code, length } = pieces[low] as { at: number; code: number; length: number };
      return code + Math.min(at - begin, length);
    },
  };
}

/** Cuts back to the last whole statement and closes the open blocks; what is balanced stays as it is. */
export function closeBlocks(text: string): string {
  const open: string[] = [];
  // Those of them that are no blocks.
  let inner = 0;
  let cut = 0;
  let blocks = 0;
  let i = 0;
  while (i < text.length) {
    const after = skipQuiet(text, i);
    if (after === null) break; // a comment or a literal without an end
    if (after > i) {
      i = after;
      continue;
    }
    const char = text[i++] as string;
    if (char === '(' || char === '[' || char === '{') {
      open.push(char);
      if (char !== '{') inner++;
    } else if (char === ')' || char === ']' || char === '}') {
      const closed = open.pop();
      if (closed === '(' || closed === '[') inner--;
    }
    if ((char === ';' || char === '{' || char === '}') && inner === 0) {
      cut = i;
      blocks = open.length;
    }
  }
  if (i >= text.length && open.length === 0) return text;
  return `${text.slice(0, cut)}${'}'.repeat(blocks)}`;
}

/** Behind a comment or literal that begins at `i`, `i` where none does, null where it has no end. */
function skipQuiet(text: string, i: number): number | null {
  const ending = (mark: string, from: number): number | null => {
    const at = text.indexOf(mark, from);
    return at < 0 ? null : at + mark.length;
  };
  if (text.startsWith('//', i)) return ending('\n', i);
  if (text.startsWith('/*', i)) return ending('*/', i + 2);
  const quote = text[i];
  if (quote !== '"' && quote !== "'") return i;
  for (let j = i + 1; j < text.length && text[j] !== '\n'; j++) {
    if (text[j] === '\\') j++;
    else if (text[j] === quote) return j + 1;
  }
  return null;
}
