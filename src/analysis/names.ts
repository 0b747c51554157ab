/** Which names a pattern matches. The same few come again and again: each is looked at once. */
export interface Names {
  test(name: string): boolean;
}

/** Names that are remembered at most: hostile code may have ever new ones. */
const most = 4096;

/** The same text by itself: one that was cut out of another keeps that in memory. */
export function alone(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

export function names(pattern: RegExp): Names {
  const known = new Map<string, boolean>();
  return {
    test: (name) => {
      const seen = known.get(name);
      if (seen !== undefined) return seen;
      if (known.size === most) known.clear();
      const matches = pattern.test(name);
      known.set(alone(name), matches);
      return matches;
    },
  };
}
