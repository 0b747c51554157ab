import { z } from 'zod';

/** One zod field for each key of `T`; `satisfies Shape<T>` makes a missing or a surplus field a compile error. */
export type Shape<T> = { [K in keyof T]: z.ZodType<T[K]> };

/** The schema of a configuration whose resolved form is `T`. Unknown keys are errors. */
export type ConfigSchema<T> = z.ZodObject<Shape<T>>;

/** What a caller may leave out: every key, at every depth. Lists are given whole. */
export type Options<T> = {
  [K in keyof T]?: T[K] extends readonly unknown[] | null ? T[K] : T[K] extends object | null ? Options<T[K]> : T[K];
};

/** Marks a field that steers the run but not its results: it may change between a run and its resumption. */
export const free = { free: true } as const;

/** A nested group of options, given in part or not at all. */
export function group<S extends z.ZodRawShape>(shape: S): z.ZodPrefault<z.ZodObject<S, z.core.$strict>> {
  return z.strictObject(shape).prefault({} as never);
}

/** One documented leaf of a schema, as printed by `--help` and the docs. */
export interface Field {
  /** Dotted path, as `--set` takes it. */
  path: string;
  type: string;
  help: string;
  default: unknown;
  free: boolean;
}

/** All leaves of a schema in order of declaration. */
export function fields(schema: z.ZodObject, prefix = ''): Field[] {
  return Object.entries(schema.shape).flatMap(([key, field]) => {
    const { inner, defaultValue, help, isFree } = unwrap(field as z.ZodType);
    const path = `${prefix}${key}`;
    if (inner instanceof z.ZodObject && !isNullable(field as z.ZodType)) return fields(inner, `${path}.`);
    return [{ path, type: typeName(field as z.ZodType), help, default: defaultValue, free: isFree }];
  });
}

/** The keys that `schema` knows at `path`, or none where it holds no object. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = unwrap(schema).inner;
  for (const key of path) {
    const next = at instanceof z.ZodObject ? at.shape[key as string] : undefined;
    if (next === undefined) return [];
    at = unwrap(next as z.ZodType).inner;
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(field: z.ZodType): { inner: z.ZodType; defaultValue: unknown; help: string; isFree: boolean } {
  let inner = field;
  let defaultValue: unknown;
  let help = '';
  let isFree = false;
  for (;;) {
    help ||= inner.description ?? '';
    isFree ||= inner.meta()?.free === true;
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) defaultValue ??= inner.def.defaultValue;
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault || inner instanceof z.ZodNullable) {
      inner = inner.def.innerType as z.ZodType;
    } else {
      return { inner, defaultValue, help, isFree };
    }
  }
}

function isNullable(field: z.ZodType): boolean {
  return (
    field instanceof z.ZodNullable || (field instanceof z.ZodDefault && isNullable(field.def.innerType as z.ZodType))
  );
}

function typeName(field: z.ZodType): string {
  const { inner } = unwrap(field);
  const name = (() => {
    if (inner instanceof z.ZodEnum) return inner.options.join('|');
    if (inner instanceof z.ZodArray) return `${typeName(inner.def.element as z.ZodType)}…`;
    if (inner instanceof z.ZodNumber) return inner.isInt ? 'integer' : 'number';
    return inner.def.type;
  })();
  return isNullable(field) ? `${name}|null` : name;
}
