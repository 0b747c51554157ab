/** Functions of the C library that programs reach through assets/driver/world.c, by the linker's --wrap. */
export const wrapped: readonly string[] = [
  ...['malloc', 'calloc', 'realloc', 'reallocarray', 'free', 'strdup', 'strndup', 'getline', 'getdelim'],
  ...['printf', 'fprintf', 'sprintf', 'snprintf', 'vprintf', 'vfprintf', 'vsprintf', 'vsnprintf'],
  ...['asprintf', 'vasprintf'],
  ...['fopen', 'fclose', 'popen', 'pclose', 'fmemopen', 'system', 'remove', 'unlink', 'rename'],
  ...['realpath', 'exit', '__isoc23_fscanf', '__isoc23_sscanf'],
  // Those that copy where no sanitizer looks.
  ...['fgets', 'fread', 'memccpy', 'mempcpy', 'bcopy', 'bzero', 'explicit_bzero', 'stpcpy', 'stpncpy'],
];
