import { names } from '../names.js';

/** Functions that do not come back. */
export function isExit(name: string): boolean {
  return exits.test(name);
}

/** Which arguments a function reads or writes through. */
export function dereferencedBy(name: string): readonly number[] {
  return Object.hasOwn(dereferenced, name) ? (dereferenced[name] as readonly number[]) : [];
}

const dereferenced: Readonly<Record<string, readonly number[]>> = {
  strlen: [0],
  strcpy: [0, 1],
  strcat: [0, 1],
  strcmp: [0, 1],
  strncmp: [0, 1],
  strcasecmp: [0, 1],
  strncasecmp: [0, 1],
  memcpy: [0, 1],
  memmove: [0, 1],
  memset: [0],
  memcmp: [0, 1],
  strncpy: [0, 1],
  strncat: [0, 1],
  strchr: [0],
  strrchr: [0],
  strstr: [0, 1],
  strspn: [0, 1],
  strcspn: [0, 1],
  strpbrk: [0, 1],
  strdup: [0],
  strndup: [0],
  strtok: [1],
  sprintf: [0],
  snprintf: [],
  fread: [0, 3],
  fwrite: [0, 3],
  fgets: [0, 2],
  fputs: [0, 1],
  puts: [0],
  fclose: [0],
  fscanf: [0],
  fprintf: [0],
  fgetc: [0],
  getc: [0],
  fputc: [1],
  putc: [1],
  fseek: [0],
  ftell: [0],
  rewind: [0],
  feof: [0],
  ferror: [0],
  pclose: [0],
  atoi: [0],
  atol: [0],
  atoll: [0],
  atof: [0],
  strtol: [0],
  strtoul: [0],
  strtoll: [0],
  strtoull: [0],
  strtod: [0],
  sscanf: [0],
  readdir: [0],
  closedir: [0],
  gets: [0],
  getline: [2],
  strlcpy: [0, 1],
  strlcat: [0, 1],
  stpcpy: [0, 1],
  opendir: [0],
};

/** Functions that give null where they fail. */
export const nullable: ReadonlySet<string> = new Set(
  (
    'malloc calloc realloc reallocarray strdup strndup aligned_alloc fopen fdopen popen freopen tmpfile opendir getenv strchr strrchr ' +
    'strstr strpbrk strtok strtok_r memchr localtime gmtime getpwnam getpwuid gethostbyname bsearch fgets realpath dlopen dlsym readdir ' +
    'kmalloc kzalloc kcalloc vmalloc g_try_malloc av_malloc av_mallocz mmap_or_null setlocale'
  ).split(' '),
);

/** Whether the name of a function of which nothing else is known says that it gives null where it fails. */
export function mayGiveNull(name: string): boolean {
  return (
    /(^|_)([kvz]?[mc]?alloc(ate)?|[km]?zalloc|new|create|dup|clone|find|lookup|search)(_\w+)?$|(Alloc|New|Create|Dup|Clone|Find|Lookup)$/.test(
      name,
    ) && !/^x[a-z]|^g_|nofail|safe|must|check/i.test(name)
  );
}

const allocators: Readonly<Record<string, readonly number[]>> = {
  malloc: [0],
  calloc: [0, 1],
  kmalloc_array: [0, 1],
  aligned_alloc: [1],
  kmalloc: [0],
  kzalloc: [0],
  kcalloc: [0, 1],
  vmalloc: [0],
  xmalloc: [0],
  av_malloc: [0],
  av_mallocz: [0],
  g_malloc: [0],
  alloca: [0],
};

/** The sizes that an allocation is made of; undefined for a function that is none. */
export function allocation(name: string): readonly number[] | undefined {
  if (name.startsWith('operator new')) return name.startsWith('operator new[]') ? [0, 1] : [0];
  return Object.hasOwn(allocators, name)
    ? allocators[name]
    : name === 'realloc'
      ? [1]
      : name === 'reallocarray'
        ? [1, 2]
        : undefined;
}

/** Functions that make an object which a function of the same name with `_free` takes apart. */
export function makes(name: string): boolean {
  return makers.test(name);
}

/** Functions that free what their own kind made, whatever else it holds. */
export function freesObject(name: string): boolean {
  return objectFreers.test(name) && !memoryFreers.test(name);
}

/** The argument that a function frees. */
export function freed(name: string): number | undefined {
  if (freesObject(name)) return 0;
  return freers.test(name) ? 0 : undefined;
}

/** Functions that write what they read to memory that they are given. */
export function isFiller(name: string): boolean {
  return fillers.test(name);
}

/** Which argument of a function is a format of printf's; undefined where it takes none. */
export function formatOf(name: string): number | undefined {
  return Object.hasOwn(formats, name) ? formats[name] : undefined;
}

const formats: Readonly<Record<string, number>> = {
  printf: 0,
  fprintf: 1,
  sprintf: 1,
  snprintf: 2,
  syslog: 1,
  dprintf: 1,
  vprintf: 0,
  vfprintf: 1,
  vsprintf: 1,
  vsnprintf: 2,
  warnx: 0,
  errx: 1,
};

/** Whether a call reads the text that its argument leads to. */
export function readsText(name: string, i: number): boolean {
  if (isFiller(name) || writers.test(name)) return i > 0;
  return printers.test(name) || dereferencedBy(name).includes(i);
}

/** Functions that keep nothing of what they are given. */
export function keepsNothing(name: string): boolean {
  return keeping.test(name);
}

const keeping = names(
  /^(str|mem|v?f?printf$|v?sn?printf$|vf?printf|f(read|write|gets|puts|seek|tell|scanf|getc|putc|flush|eof|error|close|ileno)|v?s?scanf$|puts|putchar|perror|ato|is[a-z]+$|to(upper|lower)$|read$|write$|recv|send|close$|sqlite3_|mysql_|qsort$|access$|l?stat$|fstat$|open|unlink$|remove$|rename$|system$|popen$|pclose|time$|getpass|assert|usleep|sleep|abs$|bind$|listen$|accept$|connect$|explicit_bzero|bzero|EVP_|RAND_|MD5|SHA|DES_|AES_|inet_|hton|ntoh|waitpid|wait$|exec|curl_|setvbuf|syslog|gets|pthread_mutex|poll|select|dprintf|lseek|fsync|ftruncate|fchmod|fchown|flock|ioctl|fcntl|[gs]etsockopt|shutdown)/,
);

const exits = names(
  /^(exit|_exit|_Exit|quick_exit|abort|longjmp|err|errx|verr|verrx|pthread_exit|__builtin_unreachable)$/,
);
const makers = names(/^[A-Za-z]\w*_new$/);
const objectFreers = names(/^[A-Za-z]\w*_free$/);
const memoryFreers = names(/^(OPENSSL|av|g|sqlite3|cfg_buf)_free$/);
const freers = names(
  /^(free|kfree|vfree|kvfree|av_free|g_free|OPENSSL_free|xmlFree|sqlite3_free|cfree|operator delete(\[\])?)$/,
);
const fillers = names(/^(fgets|gets|read|pread|recv|recvfrom|fread|[fs]?scanf)$/);
const writers = names(/^(memset|bzero|sprintf|snprintf|str[nl]?cpy|stpcpy|memcpy|memmove)$/);
const printers = names(/^v?(f|s|sn|d)?printf$/);
