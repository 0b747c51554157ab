/** Which names a pattern matches. */
export interface Names {
  test(name: string): boolean;
}

/** Texts that are remembered at most: hostile code may have ever new ones. */
const most = 4096;
const longest = 128;

/** The same text by itself: one that was cut out of another keeps that in memory. */
function alone(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}

/** What is made of a text, made once. The same few come again and again. */
export function once<V>(make: (text: string) => V): (text: string) => V {
  const known = new Map<string, V>();
  return (text) => {
    // What is called need not be a name: it may be all of the text.
    if (text.length > longest) return make(text);
    const seen = known.get(text);
    if (seen !== undefined) return seen;
    if (known.size === most) known.clear();
    const made = make(text);
    known.set(alone(text), made);
    return made;
  };
}

/** A pattern that looks at each name once. */
export function names(pattern: RegExp): Names {
  return { test: once((name) => pattern.test(name)) };
}
