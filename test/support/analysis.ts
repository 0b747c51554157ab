import fc from 'fast-check';
import { expect } from 'vitest';
import type { Analysis } from '../../src/analysis/analysis.js';

/** Whatever is judged, pieces of code in any order or bytes of any kind, findings and spans lie inside it. */
export function expectInside(
  judge: (code: Uint8Array) => Analysis,
  pieces: readonly string[],
  { maxPieces, numRuns }: { maxPieces: number; numRuns: number },
): void {
  const text = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 8 })), { maxLength: maxPieces });
  fc.assert(
    fc.property(
      fc.oneof(
        text.map((parts) => Buffer.from(parts.join(''))),
        fc.uint8Array({ maxLength: 300 }),
      ),
      (code) => {
        const { findings, spans } = judge(code);
        for (const { span } of [...findings, ...spans]) {
          expect(span.start).toBeGreaterThanOrEqual(0);
          expect(span.end).toBeGreaterThan(span.start);
          expect(span.end).toBeLessThanOrEqual(code.length);
        }
      },
    ),
    { seed: 1, numRuns },
  );
}
