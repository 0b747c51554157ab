/** How far something from outside is to be trusted: what a caller gives, and what a user, the network or a file gives. */
export type Origin = 'parameter' | 'input';

/** What text may be dangerous to. A bit each. */
export const Danger = { shell: 1, sql: 2, path: 4, code: 8, url: 16, html: 32 } as const;
export type Danger = (typeof Danger)[keyof typeof Danger];
export const everything = 63;

/** Something from outside that a value was made of. */
export interface Part {
  readonly atom: number;
  readonly origin: Origin;
  /** To what it is harmless, as a function on the way has made it so: bits of {@link Danger}. */
  readonly clean: number;
}

/** The result of an expression, as far as text from outside goes into it. */
export interface Value {
  readonly parts: readonly Part[];
  /** The text or number of a constant. */
  readonly literal?: string;
  /** It was put together from several texts. */
  readonly joined?: boolean;
  /** A path without `..` and links. */
  readonly resolved?: boolean;
  /** A sequence of arguments. */
  readonly list?: boolean;
  /** What is learnt where it is true, and where it is false. */
  readonly truth?: { readonly yes: readonly Fact[]; readonly no: readonly Fact[] };
  /** The function or class that made it, as `tarfile.open`. */
  readonly maker?: string;
}

/** On this way an atom is harmless to something. */
export interface Fact {
  readonly atom: number;
  readonly clean: number;
}

export const own: Value = { parts: [] };

/** That a value is harmless to something. */
export function facts({ parts }: Value, clean: number): Fact[] {
  return clean === 0 ? [] : parts.map(({ atom }) => ({ atom, clean }));
}

/** What is put together from values. */
export function union(values: readonly (Value | undefined)[]): Value {
  const parts = new Map<number, Part>();
  for (const value of values)
    for (const part of value?.parts ?? []) {
      const known = parts.get(part.atom);
      parts.set(part.atom, known === undefined ? part : { ...part, clean: known.clean & part.clean });
    }
  return { parts: [...parts.values()] };
}

/** The variables and facts on one way through the code. */
export class State {
  readonly variables: Map<string, Value>;
  readonly facts: Map<number, number>;
  dead = false;

  constructor(from?: State) {
    this.variables = new Map(from?.variables);
    this.facts = new Map(from?.facts);
    this.dead = from?.dead ?? false;
  }

  become(other: State): void {
    this.variables.clear();
    for (const [name, value] of other.variables) this.variables.set(name, value);
    this.facts.clear();
    for (const [atom, clean] of other.facts) this.facts.set(atom, clean);
    this.dead = other.dead;
  }

  learn(facts: readonly Fact[]): void {
    for (const { atom, clean } of facts) this.facts.set(atom, (this.facts.get(atom) ?? 0) | clean);
  }

  /** The parts of a value that may be dangerous to something, on this way. */
  dangerous({ parts }: Value, danger: Danger): Part[] {
    return parts.filter(({ atom, clean }) => ((clean | (this.facts.get(atom) ?? 0)) & danger) === 0);
  }

  static join(a: State, b: State): State {
    if (a.dead) return new State(b);
    if (b.dead) return new State(a);
    const joined = new State();
    for (const name of new Set([...a.variables.keys(), ...b.variables.keys()])) {
      const [one, two] = [a.variables.get(name), b.variables.get(name)];
      if (one === two || one === undefined || two === undefined) joined.variables.set(name, (one ?? two) as Value);
      else
        joined.variables.set(name, {
          ...union([one, two]),
          ...(one.literal !== undefined && one.literal === two.literal && { literal: one.literal }),
          ...((one.joined || two.joined) && { joined: true }),
          ...(one.resolved && two.resolved && { resolved: true }),
          ...(one.list && two.list && { list: true }),
          ...(one.maker !== undefined && one.maker === two.maker && { maker: one.maker }),
        });
    }
    for (const [atom, clean] of a.facts) {
      const both = clean & (b.facts.get(atom) ?? 0);
      if (both !== 0) joined.facts.set(atom, both);
    }
    return joined;
  }
}
