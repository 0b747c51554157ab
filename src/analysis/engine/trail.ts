import { State, type Value } from './values.js';
import type { Frame, Variable, Walk } from './walk.js';

/** What a walk had come to behind a statement of a block. Of what only grows, the size says how it was. */
interface Mark {
  /** The statement's place in the block. */
  readonly at: number;
  readonly state: State;
  readonly scope: ReadonlyMap<string, Variable>;
  readonly declared: number;
  readonly exits: readonly { state: State; value: Value | null }[];
  readonly exited: number;
  readonly jumps: Frame['jumps'];
  readonly labels: ReadonlyMap<string, State>;
  readonly steps: number;
  readonly frames: number;
  readonly blocks: number;
  readonly born: number;
  readonly consulted: number;
  readonly untouched: number;
  readonly outsides: number;
  readonly macroValues: number;
}

/**
 * What a walk with all guards in force was like behind each statement of its blocks, which go by the number of blocks before them.
 *
 * Up to the first guard that is left out, a walk without some is the same, step by step and symbol by symbol. There it takes over what
 * the first one came to, and walks only the statement that the guard stands in.
 */
export class Trail {
  readonly #blocks: Mark[][] = [];

  /** Behind a statement of a block. */
  mark(walk: Walk, block: number, at: number, state: State): void {
    const marks = this.#blocks[block] ?? [];
    this.#blocks[block] = marks;
    const last = marks.at(-1);
    // Of two that no guard stands between, the later one serves for both.
    if (last?.consulted === walk.consulted.size) marks.pop();
    const { scopes, exits, jumps, labels } = walk.frame;
    marks.push({
      at,
      state: new State(state),
      scope: last?.declared === walk.declared ? last.scope : new Map(scopes.at(-1)),
      declared: walk.declared,
      exits,
      exited: exits.length,
      jumps: jumps.map(copied),
      labels: labels.size === 0 ? none : new Map(labels),
      steps: walk.steps,
      frames: walk.frames,
      blocks: walk.blocks,
      born: walk.born,
      consulted: walk.consulted.size,
      untouched: walk.untouched.size,
      outsides: walk.outsides.size,
      macroValues: walk.macroValues.size,
    });
  }

  /** The last mark in a block before which at most so many guards were consulted. */
  last(block: number, consulted: number): Mark | undefined {
    return this.#blocks[block]?.findLast((mark) => mark.consulted <= consulted);
  }
}

/** A walk that has come to no guard yet that is left out. */
export class Following {
  readonly #first: Walk;
  /** How many guards the first walk consulted before the first one that is left out. */
  readonly #same: number;

  constructor(first: Walk, off: ReadonlySet<string>) {
    this.#first = first;
    let same = 0;
    for (const key of first.consulted) {
      if (off.has(key)) break;
      same++;
    }
    this.#same = same;
  }

  /** Takes over what the first walk did in a block; how many of its statements that was. */
  catchUp(walk: Walk, block: number, state: State): number {
    const first = this.#first;
    const mark = first.trail?.last(block, this.#same);
    if (mark === undefined) return 0;
    walk.inherit(first, mark.born);
    for (const [key, value] of begin(first.untouched, mark.untouched)) walk.untouched.set(key, value);
    for (const [id, region] of begin(first.outsides, mark.outsides)) walk.outsides.set(id, region);
    for (const [name, value] of begin(first.macroValues, mark.macroValues)) walk.macroValues.set(name, value);
    for (const key of begin(first.consulted, mark.consulted)) walk.consulted.add(key);
    walk.spared += mark.steps - walk.steps;
    walk.steps = mark.steps;
    walk.frames = mark.frames;
    walk.blocks = mark.blocks;
    const { scopes, exits, jumps, labels } = walk.frame;
    scopes[scopes.length - 1] = new Map(mark.scope);
    exits.push(...mark.exits.slice(exits.length, mark.exited));
    // The loops and switches that the block stands in have these lists in hand.
    for (const [i, { breaks, continues }] of mark.jumps.entries()) {
      const own = jumps[i] as Frame['jumps'][number];
      own.breaks.push(...breaks.slice(own.breaks.length));
      own.continues?.push(...(continues ?? []).slice(own.continues.length));
    }
    for (const [label, waiting] of mark.labels) labels.set(label, waiting);
    state.become(mark.state);
    return mark.at + 1;
  }
}

const none: ReadonlyMap<string, State> = new Map();

function copied({ breaks, continues }: Frame['jumps'][number]): Frame['jumps'][number] {
  return { breaks: [...breaks], continues: continues && [...continues] };
}

/** The first so many. */
function* begin<T>(all: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const one of all) {
    if (left-- === 0) return;
    yield one;
  }
}
