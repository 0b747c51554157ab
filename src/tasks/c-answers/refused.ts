/** Why a text is not accepted as an answer. */
export interface Refusal {
  /** One line, which begins with the place: `line 3: …`. */
  reason: string;
  /** The first line is 1. */
  line: number;
}

/** Ends the reading of a text that is refused. */
export class Refused extends Error {
  readonly line: number;

  constructor(line: number, reason: string) {
    super(`line ${line}: ${reason}`);
    this.line = line;
  }
}

/** @param what - What is there that may not be. */
export function refuse(line: number, what: string): never {
  throw new Refused(line, `not allowed: ${what}`);
}
