import type { Guard } from './walk.js';

/**
 * What guards told of symbols, and which of them the rules depend on: a rule that asked for something that a guard told is asked again
 * with all of that hidden, and the guards matter if it reports something then. Paths are not told apart, and what was computed from
 * facts stays as it is. So this is a guess, that says where to look for credit first; proof is a walk without the guard.
 */
export class Grounds {
  /** Keys of the guards that matter, as far as this goes. */
  readonly asked: Set<string> = new Set();
  /** The guard that is in force at a comparison, while what it says is learnt. */
  under: Guard | null = null;
  /** Whether a rule is asked with what guards told hidden. */
  blind = false;
  /** Whether it reported something then. */
  missed = false;
  #asking = false;
  readonly #told = new Map<number | string, Set<Guard>>();
  #noted = new Set<Guard>();

  /** Something is learnt of a symbol, or by name. */
  tell(key: number | string): void {
    if (this.under === null) return;
    const told = this.#told.get(key);
    if (told === undefined) this.#told.set(key, new Set([this.under]));
    else told.add(this.under);
  }

  /** Something known of a symbol, or by name, is looked up; true where it is to be hidden. */
  hides(key: number | string): boolean {
    if (!this.#asking) return false;
    const told = this.#told.get(key);
    if (told === undefined) return false;
    for (const guard of told) this.#noted.add(guard);
    return this.blind;
  }

  /** A rule asks whether a defence is in force; true where that is to be hidden. */
  hidesGuard(guard: Guard): boolean {
    if (this.#asking) this.#noted.add(guard);
    return this.blind;
  }

  /** Learns something under a guard. */
  learn(guard: Guard, learn: () => void): void {
    const [under, asking] = [this.under, this.#asking];
    this.under = guard;
    this.#asking = false;
    learn();
    this.under = under;
    this.#asking = asking;
  }

  /** Looks something up; says which other guards told something of it. */
  resting<T>(on: (guards: ReadonlySet<Guard>) => void, look: () => T): T {
    const [asking, noted] = [this.#asking, this.#noted];
    this.#asking = true;
    this.#noted = new Set();
    const found = look();
    on(this.#noted);
    this.#asking = asking;
    this.#noted = noted;
    return found;
  }

  /** A rule is asked. Returns what {@link answered} is to be given. */
  ask(): Set<Guard> | null {
    const outer = this.#asking ? this.#noted : null;
    // Most rules ask for nothing that a guard told: one set does for all of them.
    if (outer !== null) this.#noted = new Set();
    else this.#noted.clear();
    this.#asking = true;
    return outer;
  }

  /** The rule has answered; true where guards may matter to it: it is to be asked again, blindly. */
  askAgain(): boolean {
    this.blind = this.#noted.size > 0;
    this.missed = false;
    return this.blind;
  }

  /** The rule has answered as often as it was asked. */
  answered(outer: Set<Guard> | null): void {
    if (this.blind && this.missed) for (const guard of this.#noted) this.asked.add(guard.key);
    this.blind = false;
    this.#asking = outer !== null;
    if (outer !== null) this.#noted = outer;
  }
}
