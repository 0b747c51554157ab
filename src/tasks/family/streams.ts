import { RandomStream } from '../../dataset/random.js';
import { SrcodeError } from '../../errors.js';

// A purpose's place in the list seeds it: append only.
const purposes = [
  'pretraining',
  'train',
  'validation',
  'test',
  'train references',
  'validation references',
  'test references',
  'replay',
  'train detection',
  'heldOut detection',
  'train repair',
  'heldOut repair',
  'train preference',
  'heldOut preference',
] as const;
export type Purpose = (typeof purposes)[number];

/** The random numbers of document `index` of a purpose. Two purposes never share any. */
export function streamOf(purpose: Purpose, seed: number, index: number): RandomStream {
  for (const [name, value] of Object.entries({ seed, index }))
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
      throw new SrcodeError('ERR_INVALID_ARG', `Expected a ${name} that is an integer in [0, 2^32), received ${value}`);
  // A stream's seed has 53 bits, of which seeds take 32; none of these is the stream (seed, index) that a caller may draw from itself.
  return new RandomStream(seed + (1 + purposes.indexOf(purpose)) * 2 ** 32, index);
}
