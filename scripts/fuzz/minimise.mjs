// Delta debugging: the smallest input found that still fails in the same way.

/**
 * @param {Buffer} code
 * @param {(code: Buffer) => Promise<boolean>} fails - Whether it still fails.
 * @param {{ probes: number, seconds: number }} most
 */
export async function minimise(code, fails, most) {
  const end = Date.now() + most.seconds * 1000;
  let left = most.probes;
  let best = code;
  const tryOut = async (candidate) => {
    if (left-- <= 0 || Date.now() > end || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (const cut of [byLines, byWords, byBytes]) {
    let pieces = cut(best);
    for (let size = Math.ceil(pieces.length / 2); size >= 1 && left > 0; ) {
      let shrunk = false;
      for (let at = 0; at < pieces.length && left > 0; ) {
        const rest = [...pieces.slice(0, at), ...pieces.slice(at + size)];
        if (rest.length < pieces.length && (await tryOut(Buffer.concat(rest)))) {
          pieces = rest;
          shrunk = true;
        } else at += size;
      }
      if (size === 1 && !shrunk) break;
      size = size === 1 ? 1 : Math.ceil(size / 2);
      if (pieces.length === 0) break;
    }
  }
  return best;
}

const cutBy = (pattern) => (code) =>
  (code.toString('latin1').match(pattern) ?? []).map((piece) => Buffer.from(piece, 'latin1'));
const byLines = cutBy(/[^\n]*\n|[^\n]+/g);
const byWords = cutBy(/\w+|\s+|[^\w\s]/g);
const byBytes = cutBy(/[\s\S]/g);
