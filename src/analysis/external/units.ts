import { randomBytes } from 'node:crypto';
import type { Language } from '../analyser.js';
import { type CNode, CParser, child } from '../c/syntax.js';
import { shield } from './neutral.js';
import { type Prelude, preludeHeaders, wholePrelude } from './prelude.js';

/** A C or C++ source as compilers are to see it. One character a byte. */
export interface Candidate {
  /** Its place among the sources that are analysed together. */
  index: number;
  language: Language;
  text: string;
  /** How it shares a unit with others; undefined when it must have one of its own. */
  shared: SharedForm | undefined;
  /** Where the definitions begin of functions with parameters that nothing in it calls, `main` aside: their callers may pass anything. */
  entries: number[];
  /** It defines `main`. */
  hasMain: boolean;
}

interface SharedForm {
  /** The text without the directives that the prelude makes needless. */
  text: string;
  /** What it declares for itself, to be renamed. */
  names: string[];
  /** Macros that it defines. */
  macros: string[];
  /** What of the prelude it may use: the reserved identifiers in it. */
  uses: string[];
}

/** A text that is compiled in one go, and which of its lines belong to which candidate. */
export interface Unit {
  text: string;
  extension: 'c' | 'cc';
  parts: { candidate: Candidate; firstLine: number; lines: number }[];
}

/**
 * Prepares sources for compilers. `reserved` are the identifiers that the prelude gives a meaning; a source that declares or defines one of
 * them stays alone, as one with directives of its own does: what it changes, its neighbours would see.
 */
export async function candidateOf(
  index: number,
  code: Uint8Array,
  language: Language,
  reserved: ReadonlySet<string>,
): Promise<Candidate> {
  const text = Buffer.from(code.buffer, code.byteOffset, code.length).toString('latin1');
  const none: Candidate = { index, language, text, shared: undefined, entries: [], hasMain: false };
  if (language !== 'c') return none;
  const source = (await CParser.load()).parse(code);
  // What does not parse may swallow what follows.
  if (!source.parseOk) return none;
  const nameOf = (node: CNode): string => source.text(node);
  const calls = new Set<string>();
  const left: CNode[] = [source.root];
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    const callee = node.type === 'call_expression' ? child(node, 'function') : undefined;
    if (callee?.type === 'identifier') calls.add(nameOf(callee));
    left.push(...node.children);
  }
  const definitions = source.root.children.filter(({ type }) => type === 'function_definition');
  const functions = definitions.map((node) => ({
    name: declaredNames(node).map(nameOf)[0],
    span: source.span(node),
    takesArguments: parametersOf(node).some((parameter) => nameOf(parameter) !== 'void'),
  }));
  const hasMain = functions.some(({ name }) => name === 'main');
  const entries = functions
    .filter(({ name, takesArguments }) => name !== undefined && name !== 'main' && takesArguments && !calls.has(name))
    .map(({ span }) => span.start);
  const names = new Set(source.root.children.flatMap((node) => [...declaredNames(node), ...tagsIn(node)]).map(nameOf));
  // A function that is declared nowhere is declared by its first call, in the whole unit.
  for (const name of calls) if (!reserved.has(name) && !knownToCompilers.test(name)) names.add(name);
  return { ...none, shared: sharedForm(text, names, reserved), entries, hasMain };
}

// Builtins that no header of the prelude declares, and what the implementation keeps for itself.
const knownToCompilers =
  /^(?:_.*|gets|alloca|strlcpy|strlcat|bcmp|index|rindex|f?printf_unlocked|memcpy_s|strcpy_s|main)$/;

function sharedForm(text: string, names: ReadonlySet<string>, reserved: ReadonlySet<string>): SharedForm | undefined {
  const macros: string[] = [];
  const plain = text.replace(/^[ \t]*#[^\n]*$/gm, (directive) => {
    const blank = ' '.repeat(directive.length);
    const header = /^\s*#\s*include\s*<([^>\n]*)>\s*$/.exec(directive)?.[1];
    if (header !== undefined && preludeHeaders.includes(header)) return blank;
    if (/^\s*#\s*define\s+_(?:GNU|DEFAULT|POSIX_C|XOPEN)_SOURCE\b/.test(directive)) return blank;
    const macro = /^\s*#\s*define\s+([A-Za-z]\w*)/.exec(directive)?.[1];
    if (macro === undefined || macro === 'NDEBUG') return directive;
    macros.push(macro);
    return `${' '.repeat(directive.indexOf('#'))}\u0001${directive.slice(directive.indexOf('#') + 1)}`;
  });
  // Outside of comments and literals no directive may be left, nor anything that reaches beyond the source. A line that is continued could
  // hide one.
  const bare = plain.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, ' ');
  if (
    /[#"']|%:|\/\*|\?\?|\b_Pragma\b|\basm\b|__asm/.test(bare) ||
    /\\\r?\n|\0|R"/.test(text) ||
    text.includes('\u0001')
  )
    return undefined;
  const foreign = (name: string): boolean => reserved.has(name) || name.startsWith('_');
  if (macros.some((name) => foreign(name) || names.has(name))) return undefined;
  if ([...names].some((name) => name !== 'main' && (foreign(name) || knownToCompilers.test(name)))) return undefined;
  const uses = [...new Set(text.match(/\b[A-Za-z_]\w*/g))].filter((name) => reserved.has(name));
  return { text: plain.replaceAll('\u0001', '#'), names: [...names], macros, uses };
}

/** The functions that a C source defines, `main` aside. */
export async function definedFunctions(code: Uint8Array): Promise<string[]> {
  const source = (await CParser.load()).parse(code);
  const names = source.root.children
    .filter(({ type }) => type === 'function_definition')
    .flatMap((node) => declaredNames(node).map((name) => source.text(name)));
  return [...new Set(names)].filter((name) => name !== 'main');
}

/** What a declaration of the top level declares: functions, variables, types; not its parameters. */
function declaredNames(node: CNode): CNode[] {
  if (node.type === 'function_definition' || node.type === 'declaration' || node.type === 'type_definition') {
    return node.children.filter(({ field }) => field === 'declarator').flatMap(declaratorName);
  }
  return [];
}

function declaratorName(node: CNode): CNode[] {
  if (node.type === 'identifier' || node.type === 'type_identifier') return [node];
  // A declarator in parentheses has no role there.
  const inner = child(node, 'declarator') ?? node.children.find(({ type }) => type.endsWith('declarator'));
  return inner === undefined ? [] : declaratorName(inner);
}

function parametersOf(node: CNode): readonly CNode[] {
  const declarator = child(node, 'declarator');
  if (declarator === undefined) return [];
  return child(declarator, 'parameters')?.children ?? parametersOf(declarator);
}

/** The tags and enumerators of a declaration outside of functions. */
function tagsIn(node: CNode): CNode[] {
  if (node.type === 'compound_statement') return [];
  const own =
    /^(?:struct|union|enum)_specifier$/.test(node.type) || node.type === 'enumerator' ? child(node, 'name') : undefined;
  return [...(own === undefined ? [] : [own]), ...node.children.flatMap(tagsIn)];
}

// No candidate can guess how its neighbours are renamed.
const mark = `srcode${randomBytes(6).toString('hex')}`;
const renamed = (name: string, k: number): string => `${name}_${mark}_${k}`;

// gcc's optimiser, whose warnings follow from what it inlines, knows that `main` runs once: of a function of another name it has to be told.
const runOnce = '__attribute__((constructor)) ';

/** A tool's message with the names that the source has. */
export const unrename = (message: string): string => message.replace(new RegExp(`_${mark}_\\d+`, 'g'), '');

// To take the prelude apart costs as much as a compiler needs to read it twice.
const few = 8;

/**
 * One candidate as it came, behind the whole prelude, or several that do not see each other, behind as much of it as they use.
 * `tainted` marks the parameters of their entries.
 */
export function unitOf(
  candidates: readonly Candidate[],
  { prelude, tainted }: { prelude: Prelude; tainted: boolean },
): Unit {
  const [only] = candidates;
  const alone = candidates.length === 1;
  const parts: Unit['parts'] = [];
  const before =
    candidates.length < few ? wholePrelude : prelude.of(candidates.flatMap(({ shared }) => shared?.uses ?? []));
  const lines: string[] = [...(only?.language === 'cpp' ? [] : before.trimEnd().split('\n')), ...shield];
  let line = lines.length + 1;
  const add = (...added: string[]): void => {
    lines.push(...added);
    line += added.length;
  };
  for (const [k, candidate] of candidates.entries()) {
    const form = alone ? { text: candidate.text, names: [], macros: [], uses: [] } : (candidate.shared as SharedForm);
    add(...form.names.map((name) => `#define ${name} ${name === 'main' ? runOnce : ''}${renamed(name, k)}`));
    const text = tainted ? taintedText(form.text, candidate.entries) : form.text;
    add(`#line 1 "${fileOf(candidate)}"`);
    const count = text.split('\n').length;
    parts.push({ candidate, firstLine: line, lines: count });
    lines.push(text);
    line += count;
    add(...[...form.names, ...form.macros].map((name) => `#undef ${name}`));
  }
  return { text: `${lines.join('\n')}\n`, extension: only?.language === 'cpp' ? 'cc' : 'c', parts };
}

/** The name that `#line` gives a candidate; its own text has no directive that could give it another. */
const fileOf = ({ index }: Candidate): string => `source${index}`;
/** The candidate of a unit that `#line` gave this name. */
export function candidateNamed({ parts }: Unit, file: string): Candidate | undefined {
  return parts.find(({ candidate }) => fileOf(candidate) === file)?.candidate;
}
/** Whether a compiler may say something of a file that is no candidate: headers, its own macros, what stands before the candidates. */
export function isForeign(file: string): boolean {
  return /^(?:\/|<|\.?\/?unit|(?:prelude|shield)\.h$)/.test(file);
}
/** The candidate to which a line of the unit's own text belongs, and which line of the candidate it is. */
export function candidateAt({ parts }: Unit, line: number): { candidate: Candidate; line: number } | undefined {
  const part = parts.find(({ firstLine, lines }) => line >= firstLine && line < firstLine + lines);
  return part && { candidate: part.candidate, line: line - part.firstLine + 1 };
}

// Behind an attribute on a line of its own, the definition goes on where it was. Spaces that stand for tabs count the same bytes.
function taintedText(text: string, entries: readonly number[]): string {
  let out = '';
  let from = 0;
  for (const entry of entries) {
    const lineStart = text.lastIndexOf('\n', entry - 1) + 1;
    const line = text.slice(0, entry).split('\n').length;
    out += `${text.slice(from, entry)}\n__attribute__((tainted_args))\n#line ${line}\n${' '.repeat(entry - lineStart)}`;
    from = entry;
  }
  return out + text.slice(from);
}
