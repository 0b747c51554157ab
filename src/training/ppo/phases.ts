/** Seconds of the parts of an iteration. */
export class Phases {
  readonly seconds: Record<string, number> = {};

  async time<T>(name: string, work: () => T | Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.seconds[name] = (this.seconds[name] ?? 0) + (performance.now() - start) / 1000;
    }
  }
}
