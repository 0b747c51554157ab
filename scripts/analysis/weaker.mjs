// The weaker forms of code that the engine credits. It stands on syntax trees alone, whichever build they come from.

const child = (node, field) => node.children.find((candidate) => candidate.field === field);

function* descendants(node) {
  yield node;
  for (const below of node.children) yield* descendants(below);
}

// What a statement that leaves ends with: behind such an `if` its condition does not hold. Nor behind one that sets it right: `n = most;`.
const leaves = /^(return|goto|break|continue)_statement$/;

// Safe calls and the unsafe ones that they replace; `null` where the swap does not apply.
const swaps = {
  snprintf: ([buffer, , ...rest]) => `sprintf(${[buffer, ...rest].join(', ')})`,
  vsnprintf: ([buffer, , ...rest]) => `vsprintf(${[buffer, ...rest].join(', ')})`,
  strncpy: ([to, from]) => `strcpy(${to}, ${from})`,
  strlcpy: ([to, from]) => `strcpy(${to}, ${from})`,
  strncat: ([to, from]) => `strcat(${to}, ${from})`,
  fgets: ([buffer, , stream]) => (stream === 'stdin' ? `gets(${buffer})` : null),
  printf: ([format, text, ...rest]) => (/^"%s(\\n)?"$/.test(format) && rest.length === 0 ? `printf(${text})` : null),
  fprintf: ([stream, format, text, ...rest]) =>
    /^"%s(\\n)?"$/.test(format) && rest.length === 0 ? `fprintf(${stream}, ${text})` : null,
  syslog: ([level, format, text]) => (format === '"%s"' ? `syslog(${level}, ${text})` : null),
  calloc: ([count, size]) => `malloc(${count} * ${size})`,
  reallocarray: ([old, count, size]) => `realloc(${old}, ${count} * ${size})`,
  scanf: ([format, ...rest]) =>
    /%\d+(s|\[)/.test(format) ? `scanf(${[format.replace(/%\d+(s|\[)/g, '%$1'), ...rest].join(', ')})` : null,
  fscanf: ([stream, format, ...rest]) =>
    /%\d+(s|\[)/.test(format) ? `fscanf(${[stream, format.replace(/%\d+(s|\[)/g, '%$1'), ...rest].join(', ')})` : null,
  execl: (args) => `system(${args.at(-2)})`,
  execlp: (args) => `system(${args.at(-2)})`,
  execv: () => null,
  execvp: () => null,
  mkstemp: ([name]) => `open(mktemp(${name}), O_RDWR | O_CREAT, 0600)`,
  tmpfile: () => 'fopen(tmpnam(NULL), "w+")',
  getenv: () => '"hunter2-S3cret"',
  open: (args) =>
    /O_EXCL|O_NOFOLLOW/.test(args[1] ?? '')
      ? `open(${args.map((arg) => arg.replace(/\s*\|\s*O_(EXCL|NOFOLLOW)|O_(EXCL|NOFOLLOW)\s*\|\s*/g, '')).join(', ')})`
      : null,
};
// Names that are swapped for others, whatever they are called with.
const renames = [
  [/^EVP_sha\w+$/, 'EVP_md5'],
  [/^EVP_aes_\w+$|^EVP_chacha20\w*$/, 'EVP_des_cbc'],
  [/^SHA(224|256|384|512)$/, 'MD5'],
];
/** Where a call takes the size of what it writes to. */
const sizes = {
  snprintf: 1,
  vsnprintf: 1,
  strncpy: 2,
  strlcpy: 2,
  strncat: 2,
  fgets: 1,
  memcpy: 2,
  memmove: 2,
  read: 2,
  recv: 2,
};

/**
 * The weaker forms of the code that a span covers: `{type, codes}`, where one of `codes` is to be found. ASCII only.
 * @param root - The whole, parsed.
 * @param text - The whole.
 */
export function weaker(root, text, { start, end }) {
  const found = [];
  const replace = (type, node, by) =>
    found.push({ type, codes: [text.slice(0, node.start) + by + text.slice(node.end)] });
  const node = [...descendants(root)].find((at) => at.start === start && at.end === end);
  if (node === undefined) return found;
  const of = (at) => text.slice(at.start, at.end);
  const effects = (at) => effectsOf(at, of).map(of);
  if (node.type === 'if_statement') {
    // What the condition does stays; that anybody looks at it goes.
    replace('delete', node, ['', ...effects(child(node, 'condition'))].map((effect) => `${effect};`).join(' '));
  } else if (/^(return|goto|break|continue|expression)_statement$/.test(node.type)) {
    replace('delete', node, ';');
  } else if (isCondition(node)) {
    // Without the comparison: as if it always held, or never did; the two are one deletion.
    found.push({
      type: 'delete',
      codes: ['1', '0'].map((by) => text.slice(0, node.start) + by + text.slice(node.end)),
    });
  } else if (
    node.parent?.type === 'expression_statement' &&
    !Object.hasOwn(swaps, of(child(node, 'function') ?? node))
  ) {
    replace('delete', node.parent, ';');
  } else if (node.type === 'init_declarator') {
    replace('delete', node, of(child(node, 'declarator')));
  } else if (node.type === 'update_expression') {
    // A step towards an end, in an argument or a statement of its own.
    replace('delete', node, of(child(node, 'argument')));
  } else if (node.type === 'binary_expression') {
    replace('delete', node, of(child(node, 'left')));
  } else if (node.type === 'cast_expression') {
    // As narrow as it came.
    replace('delete', node, of(child(node, 'value')));
  } else if (node.type === 'preproc_def') replace('delete', node, '\n');
  const condition = node.type === 'if_statement' ? child(node, 'condition') : isCondition(node) ? node : undefined;
  if (condition !== undefined) {
    const bails =
      node.type === 'if_statement' && child(node, 'alternative') === undefined && leaving(child(node, 'consequence'));
    for (const { at, denied } of comparisons(condition)) {
      // Behind an `if` that leaves, it is the comparison's contrary that holds.
      const strict = bails !== denied ? { '>=': '>', '<=': '<' } : { '<': '<=', '>': '>=' };
      const [left, right] = [child(at, 'left'), child(at, 'right')];
      const operator = strict[at.operator];
      if (operator !== undefined && !/^(NULL|nullptr)$/.test(of(right)))
        replace('weaken', at, `${of(left)} ${operator} ${of(right)}`);
      // Of `a || b` behind which one leaves, and of `a && b` behind which one goes on, one side alone asks for less.
      if (at.operator !== (bails !== denied ? '||' : '&&')) continue;
      for (const [dropped, neutral] of [left, right].map((side) => [side, at.operator === '||' ? '0' : '1'])) {
        const done = effects(dropped);
        replace('one side', dropped, done.length === 0 ? neutral : `(${[...done, neutral].join(', ')})`);
      }
    }
  }
  for (const call of node.type === 'if_statement' ? descendants(condition) : descendants(node)) {
    if (call.type !== 'call_expression') continue;
    const name = of(child(call, 'function'));
    const args = (child(call, 'arguments')?.children ?? []).map(of);
    const swapped = Object.hasOwn(swaps, name) ? swaps[name](args) : null;
    if (swapped !== null) replace('swap', call, swapped);
    for (const [pattern, by] of renames) if (pattern.test(name)) replace('swap', child(call, 'function'), by);
    const at = Object.hasOwn(sizes, name) ? sizes[name] : undefined;
    const size = at === undefined ? undefined : child(call, 'arguments')?.children[at];
    if (size !== undefined && /sizeof|^\d+$/.test(of(size))) replace('larger bound', size, `${of(size)} * 2 + 8`);
  }
  return found;
}

/** What an expression does besides looking: its outermost calls and assignments, but for those that only look. */
function effectsOf(node, of) {
  if (node.type === 'assignment_expression' || node.type === 'update_expression') return [node];
  if (node.type === 'call_expression' && !looking.test(of(child(node, 'function')))) return [node];
  return node.children.flatMap((below) => effectsOf(below, of));
}

const looking = /^(str|mem|is|to|__builtin_|S_IS|SIZE_MAX|ferror|feof)/;

function isCondition({ type, operator }) {
  return (
    type === 'parenthesized_expression' ||
    type === 'conditional_expression' ||
    (type === 'binary_expression' && /^([<>]=?|[!=]=|&&|\|\|)$/.test(operator)) ||
    (type === 'unary_expression' && operator === '!')
  );
}

function leaving(node) {
  const last = node?.type === 'compound_statement' ? node.children.at(-1) : node;
  return (
    last !== undefined &&
    (leaves.test(last.type) ||
      (last.type === 'expression_statement' && /^(call|assignment)_expression$/.test(last.children[0]?.type)))
  );
}

/** The comparisons and connectives of a condition, each with whether a `!` stands before it. */
function comparisons(node, denied = false) {
  const inner = node.type === 'unary_expression' && node.operator === '!' ? !denied : denied;
  const own = node.type === 'binary_expression' ? [{ at: node, denied }] : [];
  const goes = /^(parenthesized_expression|condition_clause)$|^unary_expression$/.test(node.type) || own.length > 0;
  return goes ? [...own, ...node.children.flatMap((below) => comparisons(below, inner))] : own;
}
