import { isMap, isScalar, LineCounter, type Node, parse, parseDocument } from 'yaml';
import { SrcodeError } from '../errors.js';
import { readInput } from '../files.js';

type Path = readonly PropertyKey[];
export type Tree = { [key: string]: unknown };

/** One source of option values. Later layers win over earlier ones, key by key; lists are replaced whole. */
export interface Layer {
  readonly values: Tree;
  /** Where the value at `path` was written (`sft.yaml:3`, `--set lr`), for messages. */
  where(path: Path): string;
  /** What could not be read at all; reported with the problems of the other layers. */
  readonly problems: readonly string[];
}

/** Values of a program or of command line flags. */
export function objectLayer(values: object, name = 'options'): Layer {
  const where = (path: Path): string => (path.length === 0 ? name : name === '' ? `--${path.join('.')}` : name);
  return { values: withoutUndefined(values as Tree), where, problems: [] };
}

/**
 * A YAML file.
 * @throws ERR_CONFIG when it cannot be read. Syntax errors become problems with file and line.
 */
export function yamlLayer(file: string): Layer {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => `${file}:${lines.linePos(offset).line}`;
  const problems = document.errors.map((error) => `${place(error.pos[0])}: ${error.message}`);
  if (problems.length === 0 && document.contents !== null && !isMap(document.contents)) {
    problems.push(`${file}:1: expected "key: value" lines at the top of the file`);
  }
  const values = problems.length === 0 ? ((document.toJS() as Tree | null) ?? {}) : {};
  const where = (path: Path): string => {
    // The deepest node that exists on the way: an unknown key points at itself, a missing one at its parent.
    let offset = 0;
    let node: unknown = document.contents;
    for (const key of path) {
      if (!isMap(node)) break;
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    }
    return place(offset);
  };
  return { values, where, problems };
}

/** `--set a.b=c` assignments; the value is read as YAML, so numbers, null and lists come out typed. */
export function assignmentLayer(assignments: readonly string[]): Layer {
  const values: Tree = {};
  const problems: string[] = [];
  for (const assignment of assignments) {
    const split = assignment.indexOf('=');
    const keys = assignment.slice(0, split).split('.');
    if (split < 1 || keys.some((key) => !/^\w+$/.test(key) || key === '__proto__')) {
      problems.push(`--set ${assignment}: expected key=value, for example --set optimizer.weightDecay=0.1`);
      continue;
    }
    try {
      assign(values, keys, parse(assignment.slice(split + 1)) ?? null);
    } catch (cause) {
      problems.push(`--set ${assignment}: ${(cause as Error).message.split('\n')[0]}`);
    }
  }
  return { values, where: (path) => `--set ${path.join('.')}`, problems };
}

/** Lays `over` on `under`: objects merge, everything else is replaced. Neither is changed. */
export function merge(under: Tree, over: Tree): Tree {
  const merged = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = isTree(below) && isTree(value) ? merge(below, value) : value;
  }
  return merged;
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => (at as { [key: PropertyKey]: unknown } | null | undefined)?.[key], tree);
}

function assign(tree: Tree, keys: readonly string[], value: unknown): void {
  const [key, ...rest] = keys;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const below = tree[key];
  const child: Tree = isTree(below) ? below : {};
  tree[key] = child;
  assign(child, rest, value);
}

function withoutUndefined(values: Tree): Tree {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([key, value]) => [key, isTree(value) ? withoutUndefined(value) : value]));
}

function readText(file: string): string {
  try {
    return readInput(file).toString('utf8');
  } catch (cause) {
    throw new SrcodeError('ERR_CONFIG', `Cannot read the config file ${file}: ${(cause as Error).message}`, { cause });
  }
}
