import type { Offer } from '../../../sandbox/c/index.js';

/** What every program may use without including it. */
export const allowedHeaders: readonly string[] = [
  'stdio.h',
  'stdlib.h',
  'string.h',
  'limits.h',
  'stdint.h',
  'stddef.h',
  'ctype.h',
  'stdbool.h',
  'errno.h',
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

/** What the family's programs find when they are compiled. */
export const familyOffer: Offer = {
  prelude: [...allowedHeaders.map((header) => `#include <${header}>`), nodeType, helperPrototype, ''].join('\n'),
  helpers: { code: helper, names: ['is_plain'] },
  functions:
    'abs labs div ldiv atoi atol strtol strtoul strtoll strtoull strlen strnlen strcpy strncpy strcat strncat strcmp strncmp strchr strrchr strstr strpbrk strspn strcspn memcpy memmove memset memchr memcmp strtok strtok_r fputs puts putchar fputc putc fgetc getc fscanf sscanf __isoc99_fscanf __isoc99_sscanf feof ferror ungetc fflush fwrite isalnum isdigit isalpha toupper tolower qsort bsearch abort __ctype_b_loc __errno_location index rindex strcasecmp strerror perror fseek ftell rewind'.split(
      ' ',
    ),
  variables: ['stdin', 'stdout', 'stderr'],
};
