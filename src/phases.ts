/** Seconds and counts of the parts of some work. They depend on clocks and on what was known before: no measurement of a run. */
export class Phases {
  readonly seconds: Record<string, number> = {};
  readonly counts: Record<string, number> = {};

  async time<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.add(name, (performance.now() - start) / 1000);
    }
  }

  add(name: string, seconds: number): void {
    this.seconds[name] = (this.seconds[name] ?? 0) + seconds;
  }

  count(name: string, more: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + more;
  }

  /** Takes over the parts of a part, as `part/…`. */
  include(part: string, { seconds, counts }: Phases): void {
    for (const [name, value] of Object.entries(seconds)) this.add(`${part}/${name}`, value);
    for (const [name, value] of Object.entries(counts)) this.count(`${part}/${name}`, value);
  }
}
