/** How often something was dropped, by reason; what a loader says about its input. */
export class Counts {
  readonly #counts: Map<string, number>;

  constructor(start: Record<string, number> = {}) {
    this.#counts = new Map(Object.entries(start));
  }

  add(reason: string, by = 1): void {
    if (by > 0) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + by);
  }

  /** Reason → count, the reasons in alphabetical order. */
  toObject(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}
