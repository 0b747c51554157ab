import type { Offer } from '../../../sandbox/c/index.js';
import { libraryFunctions, linkSymbols } from '../../c-answers/index.js';

/** What every program has without including it. */
const included = [
  'stdio.h',
  'stdlib.h',
  'string.h',
  'limits.h',
  'stdint.h',
  'stddef.h',
  'ctype.h',
  'stdbool.h',
  'errno.h',
  'unistd.h',
];

/** The type that the prompts speak of. */
export const nodeType = 'struct node { struct node *next; long key; long pad; int value; };';
/** Where its value lies, and its size, in bytes. */
export const nodeLayout: { value: number; size: number } = { value: 24, size: 32 };

/** The helper that programs may call: only letters, digits and dots. */
export const helperPrototype = 'int is_plain(const char *);';
const helper = `int is_plain(const char *s) {
  for (; *s; s++)
    if (!(((*s | 32) >= 'a' && (*s | 32) <= 'z') || (*s >= '0' && *s <= '9') || *s == '.')) return 0;
  return 1;
}
`;

/** What the prompts declare. */
export const given = { helpers: ['is_plain'], types: ['node'] } as const;

const streams = ['stdin', 'stdout', 'stderr'];

/** What the family's programs find when they are compiled. */
export const familyOffer: Offer = {
  prelude: [...included.map((header) => `#include <${header}>`), nodeType, helperPrototype, ''].join('\n'),
  helpers: { code: helper, names: given.helpers },
  functions: [...libraryFunctions, ...linkSymbols.filter((name) => !streams.includes(name))],
  variables: streams,
};
