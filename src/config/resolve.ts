import type { z } from 'zod';
import { SrcodeError } from '../errors.js';
import { isTree, type Layer, merge, type Tree, valueAt } from './layers.js';
import { type ConfigSchema, fields, keysAt } from './schema.js';
import { suggest } from './suggest.js';

/**
 * Lays the layers over each other, checks the result and fills in defaults.
 * @throws ERR_CONFIG with all problems at once, each with the place where its value was written.
 */
export function resolveConfig<T>(schema: ConfigSchema<T>, layers: readonly Layer[]): T {
  const values = layers.reduce<Tree>((merged, layer) => merge(merged, layer.values), {});
  const parsed = schema.safeParse(values, { reportInput: true });
  const problems = layers.flatMap((layer) => layer.problems);
  if (!parsed.success) problems.push(...parsed.error.issues.flatMap((issue) => describe(issue, schema, layers)));
  if (problems.length > 0) {
    throw new SrcodeError(
      'ERR_CONFIG',
      ['The configuration is not valid:', ...problems.map((p) => `  ${p}`)].join('\n'),
    );
  }
  return parsed.data as T;
}

/** The dotted paths at which two resolved configurations differ, fields that do not alter results left out. */
export function differingKeys(schema: z.ZodObject, a: unknown, b: unknown): string[] {
  return fields(schema)
    .filter((field) => !field.free)
    .map((field) => field.path)
    .filter((path) => JSON.stringify(leaf(a, path)) !== JSON.stringify(leaf(b, path)));
}

function leaf(config: unknown, path: string): unknown {
  return valueAt(config, path.split('.')) ?? null;
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType, layers: readonly Layer[]): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const path = [...issue.path, key];
      const known = keysAt(schema, issue.path);
      const near = suggest(key, known);
      const hint =
        near === undefined ? `known keys: ${known.join(', ')}` : `did you mean "${[...issue.path, near].join('.')}"?`;
      return `${whereSet(path, layers)}: unknown key "${path.join('.')}"; ${hint}`;
    });
  }
  const name = issue.path.join('.') || 'the configuration';
  const received = issue.input === undefined ? '' : `, received ${JSON.stringify(issue.input)}`;
  const said = issue.message.replace(/^Invalid (input|option): /, '').replace(/, received .*$/, '');
  return [`${whereSet(issue.path, layers)}: ${name}: ${said}${received}`];
}

// The topmost layer that holds the value, or its nearest existing parent.
function whereSet(path: readonly PropertyKey[], layers: readonly Layer[]): string {
  for (let length = path.length; length > 0; length--) {
    const part = path.slice(0, length);
    const layer = layers.findLast(({ values }) => {
      const parent = valueAt(values, part.slice(0, -1));
      const key = part[length - 1] as string;
      return (isTree(parent) || Array.isArray(parent)) && Object.hasOwn(parent, key);
    });
    if (layer !== undefined) return layer.where(path);
  }
  return 'options';
}
