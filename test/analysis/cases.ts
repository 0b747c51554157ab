/** C code, what is found in it, and what is credited: each a rule's or kind's name with the text it covers. */
export interface Case {
  name: string;
  code: string;
  findings?: [rule: string, text: string][];
  spans?: [kind: string, text: string][];
}

export const cases: Case[] = [
  {
    name: 'an unchecked allocation',
    code: 'void f(void) { char *p = malloc(10); p[0] = 1; free(p); }',
    findings: [['null-dereference', 'p[0]']],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'a checked allocation',
    code: 'void f(void) { char *p = malloc(10); if (p == NULL) return; p[0] = 1; free(p); }',
    spans: [
      ['null', 'if (p == NULL) return;'],
      ['release', 'free(p)'],
    ],
  },
  {
    name: 'a guard twice: the second one earns nothing',
    code: 'void f(void) { char *p = malloc(10); if (!p) return; if (p == NULL) return; p[0] = 1; free(p); }',
    spans: [
      ['null', 'if (!p) return;'],
      ['release', 'free(p)'],
    ],
  },
  {
    name: 'a guard on another pointer earns nothing',
    code: 'void f(char *q) { char *p = malloc(10); if (q == NULL) return; p[0] = 1; free(p); }',
    findings: [
      ['leak', 'return;'],
      ['null-dereference', 'p[0]'],
    ],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'a guard that nothing reaches earns nothing',
    code: 'void f(void) { char *p = malloc(10); if (0) { if (!p) return; } p[0] = 1; free(p); }',
    findings: [['null-dereference', 'p[0]']],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'a use after free',
    code: 'int f(int *p) { free(p); return *p; }',
    findings: [['use-after-free', '*p']],
  },
  {
    name: 'a double free, through a function of the same unit',
    code: 'void done(int *p) { free(p); } void f(void) { int *p = malloc(4); if (!p) return; done(p); free(p); }',
    findings: [['double-free', 'free(p)']],
  },
  {
    name: 'a list freed with the next pointer saved',
    code: 'void f(struct e *es) { while (es) { struct e *n = es->next; free(es); es = n; } }',
    spans: [['lifetime', '*n = es->next']],
  },
  {
    name: 'a list freed, and walked on from what was freed',
    code: 'void f(struct e *es) { while (es) { free(es); es = es->next; } }',
    findings: [['use-after-free', 'es->next']],
  },
  {
    name: 'a free inside an allocation',
    code: 'void f(void) { char *p = malloc(8); p++; free(p); }',
    findings: [['free-inside', 'free(p)']],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'a pointer that is swapped and freed once each',
    code: 'void swap(int **a, int **b) { int *t = *a; *a = *b; *b = t; } void f(void) { int *a = malloc(4); int *b = malloc(4); free(a); swap(&a, &b); free(a); }',
    spans: [
      ['release', 'free(a)'],
      ['lifetime', 'swap(&a, &b)'],
      ['release', 'free(a)'],
    ],
  },
  {
    name: 'an index tested against both ends',
    code: 'int f(const int *a, int n, int i) { if (i < 0 || i >= n) return -1; return a[i]; }',
    spans: [['bounds', 'if (i < 0 || i >= n) return -1;']],
  },
  {
    name: 'an index from outside, untested',
    code: 'int f(const int *a, int n, int i) { return a[i]; }',
    findings: [['read-outside', 'a[i]']],
  },
  {
    name: 'an index without its lower end',
    code: 'void f(int i, int v) { int b[10]; if (i < 10) b[i] = v; }',
    findings: [['write-outside', 'b[i]']],
  },
  {
    name: 'an index off by one',
    code: 'void f(int v) { int b[10]; for (int i = 0; i <= 10; i++) b[i] = v; }',
    findings: [['write-outside', 'b[i]']],
  },
  {
    name: "a loop to the array's end",
    code: 'void f(int v) { int b[10]; for (int i = 0; i < 10; i++) b[i] = v; }',
    spans: [['bounds', 'i < 10']],
  },
  {
    name: 'text copied behind a test of its length',
    code: 'void f(char *s) { char b[32]; if (strlen(s) >= sizeof(b)) return; strcpy(b, s); puts(b); }',
    spans: [['bounded copy', 'if (strlen(s) >= sizeof(b)) return;']],
  },
  {
    name: 'text copied without a test',
    code: 'void f(char *s) { char b[32]; strcpy(b, s); puts(b); }',
    findings: [['text-overflow', 'strcpy(b, s)']],
  },
  {
    name: 'a copy with room for the terminator',
    code: 'void f(char *s) { char *d = malloc(strlen(s) + 1); if (!d) return; strcpy(d, s); puts(d); free(d); }',
    spans: [
      ['bounded copy', 'strlen(s) + 1'],
      ['null', 'if (!d) return;'],
      ['release', 'free(d)'],
    ],
  },
  {
    name: 'a copy without room for the terminator',
    code: 'void f(char *s) { char *d = malloc(strlen(s)); if (!d) return; strcpy(d, s); puts(d); free(d); }',
    findings: [['text-overflow', 'strcpy(d, s)']],
    spans: [
      ['null', 'if (!d) return;'],
      ['release', 'free(d)'],
    ],
  },
  {
    name: 'a length that is clamped',
    code: 'void f(const unsigned char *src, size_t n) { unsigned char b[64]; if (n > sizeof b) n = sizeof b; memcpy(b, src, n); use(b); }',
    spans: [['length', 'if (n > sizeof b) n = sizeof b;']],
  },
  {
    name: 'a length from outside',
    code: 'void f(const unsigned char *src, size_t n) { unsigned char b[64]; memcpy(b, src, n); use(b); }',
    findings: [['copy-outside', 'memcpy(b, src, n)']],
  },
  {
    name: 'a word read with its width',
    code: 'int f(void) { char b[16]; if (scanf("%15s", b) != 1) return -1; return b[0]; }',
    spans: [
      ['error', 'if (scanf("%15s", b) != 1) return -1;'],
      ['bounded copy', 'scanf("%15s", b)'],
    ],
  },
  {
    name: 'a word read without a width',
    code: 'int f(void) { char b[16]; if (scanf("%s", b) != 1) return -1; return b[0]; }',
    findings: [['text-overflow', 'scanf("%s", b)']],
    spans: [['error', 'if (scanf("%s", b) != 1) return -1;']],
  },
  {
    name: 'a divisor that is tested',
    code: 'int f(int a, int b) { if (b == 0) return 0; return a / b; }',
    spans: [['divisor', 'if (b == 0) return 0;']],
  },
  {
    name: 'a divisor that is not',
    code: 'int f(int a, int b) { return a / b; }',
    findings: [['division-by-zero', 'a / b']],
  },
  {
    name: 'a size that is tested',
    code: 'int *f(size_t n) { if (n > SIZE_MAX / sizeof(int)) return NULL; return malloc(n * sizeof(int)); }',
    spans: [['overflow', 'if (n > SIZE_MAX / sizeof(int)) return NULL;']],
  },
  {
    name: 'a size that may wrap around',
    code: 'int *f(size_t n) { return malloc(n * sizeof(int)); }',
    findings: [['size-overflow', 'malloc(n * sizeof(int))']],
  },
  {
    name: 'parsed input in a sum',
    code: 'int main(void) { int n = 0; scanf("%d", &n); return n + 1; }',
    findings: [['overflow', 'n + 1']],
  },
  {
    name: 'parsed input of few digits in a sum',
    code: 'int main(void) { int n = 0; scanf("%4d", &n); return n + 1; }',
  },
  {
    name: 'an allocation as large as the input says',
    code: 'int main(void) { unsigned n = 0; scanf("%u", &n); char *p = malloc(n); free(p); return 0; }',
    findings: [['allocation-unlimited', 'malloc(n)']],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'a command of allowed characters',
    code: 'int f(const char *w) { if (strspn(w, "abcdef") != strlen(w)) return -1; char c[64]; snprintf(c, sizeof c, "id %.40s", w); return system(c); }',
    spans: [['allow-list', 'if (strspn(w, "abcdef") != strlen(w)) return -1;']],
  },
  {
    name: 'a command of any characters',
    code: 'int f(const char *w) { char c[64]; snprintf(c, sizeof c, "id %.40s", w); return system(c); }',
    findings: [['command', 'system(c)']],
  },
  {
    name: 'a statement from text',
    code: 'int f(void *db, const char *n) { char q[99]; snprintf(q, sizeof q, "SELECT 1 WHERE n = \'%s\'", n); return sqlite3_exec(db, q, 0, 0, 0); }',
    findings: [
      ['sql', 'sqlite3_exec(db, q, 0, 0, 0)'],
      ['truncated-text', 'sqlite3_exec(db, q, 0, 0, 0)'],
    ],
    spans: [['bounded copy', 'snprintf(q, sizeof q, "SELECT 1 WHERE n = \'%s\'", n)']],
  },
  {
    name: 'a path behind a predicate',
    code: 'int ok(const char *n) { if (strstr(n, "..") != NULL) return 0; return 1; } FILE *f(const char *n) { char p[256]; if (!ok(n)) return NULL; if (snprintf(p, sizeof(p), "/srv/%s", n) >= (int)sizeof(p)) return NULL; return fopen(p, "r"); }',
    spans: [
      ['path', 'if (strstr(n, "..") != NULL) return 0;'],
      ['path', 'if (!ok(n)) return NULL;'],
      ['truncation', 'if (snprintf(p, sizeof(p), "/srv/%s", n) >= (int)sizeof(p)) return NULL;'],
      ['bounded copy', 'snprintf(p, sizeof(p), "/srv/%s", n)'],
    ],
  },
  {
    name: 'a path without a test',
    code: 'FILE *f(const char *n) { char p[256]; snprintf(p, sizeof(p), "/srv/%s", n); return fopen(p, "r"); }',
    findings: [
      ['path', 'fopen(p, "r")'],
      ['truncated-text', 'fopen(p, "r")'],
    ],
    spans: [['bounded copy', 'snprintf(p, sizeof(p), "/srv/%s", n)']],
  },
  {
    name: 'text as a format',
    code: 'void f(const char *s) { printf(s); }',
    findings: [['format', 'printf(s)']],
  },
  {
    name: 'text as an argument of a format',
    code: 'void f(const char *s) { printf("%s", s); }',
    spans: [['format', 'printf("%s", s)']],
  },
  {
    name: 'a result that is ignored',
    code: 'void f(void) { setuid(0); }',
    findings: [['ignored-result', 'setuid(0)']],
  },
  {
    name: 'a result that is tested for what it never is',
    code: 'int f(void) { FILE *p = fopen("a", "r"); if (p == -1) return 1; keep(p); return 0; }',
    findings: [
      ['wrong-test', 'p == -1'],
      ['unclosed', 'return 1;'],
    ],
  },
  {
    name: 'a variable read before it is written',
    code: 'int f(void) { int x; return x; }',
    findings: [['uninitialised', 'x']],
  },
  {
    name: 'a variable that one branch alone assigns to',
    code: 'int f(int c) { int x; if (c) x = 1; return x; }',
    findings: [['uninitialised', 'x']],
  },
  {
    name: 'a variable that one branch alone assigns to, read where the same holds',
    code: 'int f(int c) { int x; if (c) x = 1; if (!c) return 0; return x; }',
  },
  {
    name: 'a variable with a value for the other branch',
    code: 'int f(int c) { int x = 0; if (c) x = 1; return x; }',
    spans: [['initialisation', 'x = 0']],
  },
  {
    name: 'a value from the start that each branch replaces',
    code: 'int f(int c) { int x = 0; if (c) x = 1; else x = 2; return x; }',
  },
  {
    name: 'a file tested and then opened',
    code: 'int f(const char *p) { if (access(p, 0) != 0) return -1; return open(p, 0); }',
    findings: [['check-then-use', 'open(p, 0)']],
  },
  {
    name: "a thread's lock",
    code: 'int n; pthread_mutex_t l; void *work(void *a) { pthread_mutex_lock(&l); n++; pthread_mutex_unlock(&l); return NULL; } int f(void) { pthread_t x; return pthread_create(&x, NULL, work, NULL); }',
    spans: [
      ['lock', 'pthread_mutex_lock(&l)'],
      ['lock', 'pthread_mutex_unlock(&l)'],
    ],
  },
  {
    name: 'a thread without a lock',
    code: 'int n; void *work(void *a) { n++; return NULL; } int f(void) { pthread_t x; return pthread_create(&x, NULL, work, NULL); }',
    findings: [['race', 'n++']],
  },
  {
    name: 'an assertion on input',
    code: 'int main(void) { int n = 0; scanf("%4d", &n); assert(n > 3); return 0; }',
    findings: [['assertion', 'assert(n > 3)']],
  },
  {
    name: 'a recursion that stands still',
    code: 'int f(int n) { if (n == 0) return 0; return f(n--); }',
    findings: [['recursion', 'f(n--)']],
  },
  {
    name: 'a recursion that gets on',
    code: 'unsigned f(unsigned n) { if (n == 0) return 0; return f(n - 1); }',
    spans: [
      ['recursion', 'if (n == 0) return 0;'],
      ['recursion', 'n - 1'],
    ],
  },
  {
    name: 'a loop without an end',
    code: 'void f(void) { while (1) { puts("x"); } }',
    findings: [['endless-loop', 'while (1) { puts("x"); }']],
  },
  {
    name: 'a cipher that is broken',
    code: 'void f(unsigned char *d, unsigned char *s) { MD5(d, 4, s); }',
    findings: [['broken-cipher', 'MD5(d, 4, s)']],
  },
  {
    name: 'a password in the code',
    code: 'int f(const char *password) { return strcmp(password, "hunter22") == 0; }',
    findings: [['hard-coded-secret', 'strcmp(password, "hunter22")']],
  },
  {
    name: 'a password in a file',
    code: 'void f(FILE *out, const char *password) { fprintf(out, "%s", password); }',
    findings: [['plain-password', 'fprintf(out, "%s", password)']],
    spans: [['format', 'fprintf(out, "%s", password)']],
  },
  {
    name: 'a union read as what was not written',
    code: 'union both { int whole; float part; }; int f(void) { union both x; x.part = 1.5f; return x.whole; }',
    findings: [['type-confusion', 'x.whole']],
  },
  {
    name: 'input as an address',
    code: 'int main(void) { long n = 0; scanf("%9ld", &n); return *(int *)n; }',
    findings: [['untrusted-pointer', '(int *)n']],
  },
  {
    name: 'arguments in the wrong order',
    code: 'int sub(int a, int b) { return a - b; } int f(int a, int b) { return sub(b, a); }',
    findings: [['wrong-argument', 'sub(b, a)']],
  },
  {
    name: 'code that is cut off',
    code: 'void f(void) { char *p = malloc(10); if (p == NULL) return; p[0] = 1; if (p[1',
    spans: [['null', 'if (p == NULL) return;']],
  },
  {
    name: 'a parameter that is tested before it is followed',
    code: 'int f(struct s *p) { if (!p) return 0; return p->x; }',
  },
  {
    name: 'a parameter that is followed before it is tested',
    code: 'int f(struct s *p) { int x = p->x; if (!p) return 0; return x; }',
    findings: [['null-dereference', 'p->x']],
  },
  {
    name: 'an index into memory of unknown type',
    code: 'void f(Cache *c, UINT32 i) { if (i >= c->n) return; c->rows[i] = 0; }',
    spans: [['bounds', 'if (i >= c->n) return;']],
  },
  {
    name: 'a free of what no allocation gave',
    code: 'void f(void) { char b[4]; free(b); }',
    findings: [['free-not-heap', 'free(b)']],
  },
  {
    name: 'a temporary name',
    code: 'void f(char *t) { mktemp(t); }',
    findings: [['temporary-name', 'mktemp(t)']],
  },
  {
    name: 'a process for each request',
    code: 'void f(int s) { while (1) { int c = accept(s, 0, 0); fork(); } }',
    findings: [['endless-resources', 'fork()']],
  },
  {
    name: 'a descriptor that is tested',
    code: 'int f(void) { char b[8] = {0}; int d = open("a", 0); if (d < 0) return -1; int n = read(d, b, 8); close(d); return n; }',
    spans: [
      ['error', 'if (d < 0) return -1;'],
      ['release', 'close(d)'],
    ],
  },
  {
    name: 'a descriptor that is not',
    code: 'int f(void) { char b[8] = {0}; int d = open("a", 0); int n = read(d, b, 8); close(d); return n; }',
    findings: [['unchecked-result', 'open("a", 0)']],
    spans: [['release', 'close(d)']],
  },
  {
    name: 'a file that stays open on one way',
    code: 'int f(int k) { FILE *p = fopen("a", "r"); if (!p) return -1; if (k) return 1; fclose(p); return 0; }',
    findings: [['unclosed', 'return 1;']],
    spans: [
      ['null', 'if (!p) return -1;'],
      ['release', 'fclose(p)'],
    ],
  },
  {
    name: 'input that is tested',
    code: 'int f(void) { char b[8]; if (fgets(b, 8, stdin) == NULL) return -1; return b[0]; }',
    spans: [
      ['error', 'if (fgets(b, 8, stdin) == NULL) return -1;'],
      ['bounded copy', 'fgets(b, 8, stdin)'],
    ],
  },
  {
    name: 'input that is not',
    code: 'int f(void) { char b[8]; fgets(b, 8, stdin); return b[0]; }',
    findings: [['unchecked-input', 'fgets(b, 8, stdin)']],
    spans: [['bounded copy', 'fgets(b, 8, stdin)']],
  },
  {
    name: 'input that has a default',
    code: 'int f(void) { int n = 3; scanf("%d", &n); return n; }',
  },
  {
    name: "a file's state, asked for without success",
    code: 'long f(int d) { struct stat s; fstat(d, &s); return s.st_size; }',
    findings: [['unchecked-input', 'fstat(d, &s)']],
  },
  {
    name: 'a number and where it ends',
    code: 'int f(const char *t, long *v) { char *e; *v = strtol(t, &e, 10); if (e == t || *e) return -1; return 0; }',
    spans: [['parse', 'if (e == t || *e) return -1;']],
  },
  {
    name: 'a number, wherever it ends',
    code: 'long f(const char *t) { char *e; long v = strtol(t, &e, 10); return v / 2; }',
    findings: [['unchecked-number', 'strtol(t, &e, 10)']],
  },
  {
    name: 'a number whose end the caller tests',
    code: 'long f(const char *t, char **e) { return strtol(t, e, 10); }',
  },
  {
    name: 'privileges given up, and tested',
    code: 'int f(void) { if (setgid(1) != 0) return -1; return 0; }',
    spans: [['error', 'if (setgid(1) != 0) return -1;']],
  },
  {
    name: 'privileges given up, with a result that nobody reads',
    code: 'int f(void) { int r = setgid(1); return 0; }',
    findings: [['ignored-result', 'setgid(1)']],
  },
  {
    name: 'a digest that is sound',
    code: 'void f(void *c) { EVP_DigestInit_ex(c, EVP_sha256(), NULL); }',
    spans: [['cipher', 'EVP_sha256()']],
  },
  {
    name: 'a password from outside the code',
    code: 'int f(const char *w) { const char *password = getenv("PW"); if (!password) return 0; return strcmp(w, password) == 0; }',
    spans: [
      ['secret', 'getenv("PW")'],
      ['null', 'if (!password) return 0;'],
    ],
  },
  {
    name: 'a temporary file that is made with its name',
    code: 'int f(char *t) { return mkstemp(t); }',
    spans: [['temporary file', 'mkstemp(t)']],
  },
  {
    name: 'a loop that gets on by one step',
    code: 'int f(int n) { int s = 0; while (n > 0) { n--; s++; } return s; }',
    spans: [
      ['loop', 'n > 0'],
      ['loop', 'n--'],
    ],
  },
  {
    name: 'an assertion that is not compiled',
    code: '#define NDEBUG\nint main(void) { int n = 0; scanf("%4d", &n); assert(n > 3); return 0; }',
    spans: [['assertion', '#define NDEBUG\n']],
  },
  {
    name: 'memory of which the caller says how much it is',
    code: 'int f(const int *a, size_t n) { int s = 0; for (size_t i = 0; i < n; i++) s += a[i]; return s; }',
    spans: [['bounds', 'i < n']],
  },
  {
    name: 'one element more than the caller says',
    code: 'int f(const int *a, size_t n) { int s = 0; for (size_t i = 0; i <= n; i++) s += a[i]; return s; }',
    findings: [['read-outside', 'a[i]']],
  },
  {
    name: 'the first element of what may be empty',
    code: 'int f(const int *a, size_t n) { return a[0]; }',
    findings: [['read-outside', 'a[0]']],
  },
  {
    name: 'the last character of a text that is not empty',
    code: 'void f(char *t) { size_t n = strlen(t); if (n > 0) t[n - 1] = 0; }',
    spans: [['bounds', 'n > 0']],
  },
  {
    name: 'the last character of a text that may be empty',
    code: 'void f(char *t) { size_t n = strlen(t); t[n - 1] = 0; }',
    findings: [['write-outside', 't[n - 1]']],
  },
  {
    name: 'a statement with a value for its placeholder',
    code: 'int f(sqlite3 *db, sqlite3_stmt *s, const char *n) { if (sqlite3_prepare_v2(db, "SELECT ?", -1, &s, 0)) return 1; sqlite3_bind_text(s, 1, n, -1, 0); return sqlite3_step(s); }',
    spans: [
      ['error', 'if (sqlite3_prepare_v2(db, "SELECT ?", -1, &s, 0)) return 1;'],
      ['binding', 'sqlite3_bind_text(s, 1, n, -1, 0)'],
    ],
  },
  {
    name: 'a statement without',
    code: 'int f(sqlite3 *db, sqlite3_stmt *s) { if (sqlite3_prepare_v2(db, "SELECT ?", -1, &s, 0)) return 1; return sqlite3_step(s); }',
    findings: [['unbound', 'sqlite3_step(s)']],
    spans: [['error', 'if (sqlite3_prepare_v2(db, "SELECT ?", -1, &s, 0)) return 1;']],
  },
  {
    name: 'a length tested against both ends',
    code: 'void f(char *d, int size, const char *s, int n) { if (n < 0 || n > size) return; memcpy(d, s, n); }',
    spans: [['length', 'if (n < 0 || n > size) return;']],
  },
  {
    name: 'a length tested against its upper end',
    code: 'void f(char *d, int size, const char *s, int n) { if (n > size) return; memcpy(d, s, n); }',
    findings: [['negative-size', 'memcpy(d, s, n)']],
    spans: [['length', 'if (n > size) return;']],
  },
  {
    name: 'a product that is asked for before',
    code: 'void *f(size_t n, size_t m) { if (n == 0 || m > SIZE_MAX / n) return NULL; return malloc(n * m); }',
    spans: [['overflow', 'if (n == 0 || m > SIZE_MAX / n) return NULL;']],
  },
  {
    name: 'an object that is made and taken apart',
    code: 'int f(void) { EVP_MD_CTX *c = EVP_MD_CTX_new(); if (!c) return -1; EVP_MD_CTX_free(c); return 0; }',
    spans: [['release', 'EVP_MD_CTX_free(c)']],
  },
  {
    name: 'a pointer forgotten once its memory is freed',
    code: 'void f(char *p, int k) { if (k) { free(p); p = NULL; } free(p); }',
    spans: [['lifetime', 'p = NULL']],
  },
  {
    name: 'a command whose first character alone is tested',
    code: 'int f(const char *w) { if (!isalnum(w[0])) return -1; return system(w); }',
    findings: [['command', 'system(w)']],
  },
  {
    name: 'a command that a loop goes through without a test',
    code: 'int f(const char *w) { int n = 0; for (int i = 0; w[i]; i++) n++; return n + system(w); }',
    findings: [['command', 'system(w)']],
  },
  {
    name: 'text that is ended by hand',
    code: 'void f(char *d, const char *s) { strncpy(d, s, 7); d[7] = 0; puts(d); }',
    spans: [['termination', 'd[7] = 0']],
  },
  {
    name: 'text that need not end',
    code: 'void f(const char *s) { char d[8]; strncpy(d, s, 8); puts(d); }',
    findings: [['unterminated', 'strncpy(d, s, 8)']],
    spans: [['bounded copy', 'strncpy(d, s, 8)']],
  },
  {
    name: 'text before zeroes',
    code: 'void f(const char *s) { char d[8] = {0}; strncpy(d, s, 7); puts(d); }',
    spans: [['bounded copy', 'strncpy(d, s, 7)']],
  },
  {
    name: 'a record that is zero before it is sent',
    code: 'struct r { char kind; int size; }; int f(int d) { struct r r; memset(&r, 0, sizeof r); r.kind = 1; return send(d, &r, sizeof r, 0); }',
    spans: [['initialisation', 'memset(&r, 0, sizeof r)']],
  },
  {
    name: 'a record that is sent with what was in its padding',
    code: 'struct r { char kind; int size; }; int f(int d) { struct r r; r.kind = 1; r.size = 2; return send(d, &r, sizeof r, 0); }',
    findings: [['uninitialised-output', 'send(d, &r, sizeof r, 0)']],
  },
  {
    name: 'a record without padding, each part set',
    code: 'struct r { int kind; int size; }; int f(int d) { struct r r; r.kind = 1; r.size = 2; return send(d, &r, sizeof r, 0); }',
  },
  {
    name: 'a sum that says whether it fits',
    code: 'int main(void) { int n = 0, s; scanf("%d", &n); if (__builtin_add_overflow(n, 1, &s)) return 1; return s; }',
    spans: [['overflow', '__builtin_add_overflow(n, 1, &s)']],
  },
  {
    name: 'an index that a size keeps inside',
    code: 'int f(int *v, unsigned h) { int t[16] = {0}; t[h % 16] = 1; return t[0]; }',
    spans: [['bounds', 'h % 16']],
  },
  {
    name: 'a difference of two sizes, asked for before',
    code: 'void f(char *d, const char *s, size_t a, size_t b) { if (a < b) return; memcpy(d, s, a - b); }',
    spans: [['overflow', 'if (a < b) return;']],
  },
  {
    name: 'a product that calloc asks for',
    code: 'void *f(size_t n, size_t m) { return calloc(n, m); }',
    spans: [['overflow', 'calloc(n, m)']],
  },
  {
    name: 'a pointer of a function that is declared elsewhere, and looks for something',
    code: 'int f(int k) { struct n *p = tree_find(k); return p->x; } int g(int k) { struct n *p = tree_find(k); if (!p) return 0; return p->x; }',
    findings: [['null-dereference', 'p->x']],
    spans: [['null', 'if (!p) return 0;']],
  },
  {
    name: 'an allocation that one way moves on from its start',
    code: 'void f(int k) { char *p = malloc(4); if (k) p++; free(p); }',
    findings: [['free-inside', 'free(p)']],
    spans: [['release', 'free(p)']],
  },
  {
    name: 'an allocation whose start has a variable of its own',
    code: 'int f(void) { char *p = calloc(4, 1); if (!p) return 0; char *q = p; q++; int c = *q; free(p); return c; }',
    spans: [
      ['null', 'if (!p) return 0;'],
      ['lifetime', '*q = p'],
      ['release', 'free(p)'],
    ],
  },
  {
    name: 'an allocation that failed to grow, and is freed',
    code: 'void f(void) { char *p = malloc(8); if (!p) return; char *q = realloc(p, 20); if (!q) { free(p); return; } q[0] = 1; free(q); }',
    spans: [
      ['release', '*q = realloc(p, 20)'],
      ['null', 'if (!q) { free(p); return; }'],
      ['release', 'free(p)'],
      ['release', 'free(q)'],
    ],
  },
  {
    name: 'a member that one way alone sets to null',
    code: 'void f(struct c *c, int k) { if (k) { free(c->b); c->b = NULL; } c->b[0] = 1; }',
    findings: [['null-dereference', 'c->b[0]']],
    spans: [['lifetime', 'c->b = NULL']],
  },
  {
    name: 'a member that one way alone sets to null, and that is tested',
    code: 'void f(struct c *c, int k) { if (k) { free(c->b); c->b = NULL; } if (c->b) c->b[0] = 1; }',
    spans: [
      ['lifetime', 'c->b = NULL'],
      ['null', 'c->b'],
    ],
  },
  {
    name: 'a member that one way alone allocates',
    code: 'struct v { int *d; int n; }; int f(struct v *v) { if (v->n == 0) { int *d = malloc(40); if (!d) return -1; v->d = d; } return v->d[0]; }',
    spans: [['null', 'if (!d) return -1;']],
  },
  {
    name: 'a line without its end, if it has one',
    code: 'void f(char *t) { size_t n = strlen(t); if (n > 0 && t[n - 1] == 10) t[n - 1] = 0; }',
    spans: [['bounds', 'n > 0']],
  },
  {
    name: 'a sum of sizes, asked for before',
    code: 'void *f(size_t n) { if (n > SIZE_MAX - 16) return NULL; return malloc(n + 16); }',
  },
  {
    name: 'what was read, ended by hand',
    code: 'void f(int d) { char b[64]; ssize_t n = read(d, b, sizeof(b) - 1); if (n < 0) return; b[n] = 0; puts(b); }',
    spans: [
      ['bounds', 'if (n < 0) return;'],
      ['termination', 'b[n] = 0'],
    ],
  },
  {
    name: 'what was read, as text without an end',
    code: 'void f(int d) { char b[64]; ssize_t n = read(d, b, sizeof(b) - 1); if (n < 0) return; puts(b); }',
    findings: [['unterminated', 'read(d, b, sizeof(b) - 1)']],
    spans: [['error', 'if (n < 0) return;']],
  },
  {
    name: 'what was read, as bytes',
    code: 'void f(int d) { char b[64]; ssize_t n = read(d, b, sizeof(b)); if (n < 0) return; printf("%.*s", (int)n, b); }',
    spans: [['error', 'if (n < 0) return;']],
  },
  {
    name: 'what was read, before zeroes',
    code: 'void f(int d) { char b[64] = {0}; if (read(d, b, sizeof(b) - 1) < 0) return; puts(b); }',
  },
  {
    name: 'the target of a link, ended by hand',
    code: 'void f(const char *p) { char b[64]; ssize_t n = readlink(p, b, sizeof(b) - 1); if (n < 0) return; *(b + n) = 0; puts(b); }',
    spans: [
      ['bounds', 'if (n < 0) return;'],
      ['termination', '*(b + n) = 0'],
    ],
  },
  {
    name: 'a program run without a shell',
    code: 'void f(char *h) { char *const a[] = {"ping", "-c", "1", h, NULL}; execvp("ping", a); }',
    spans: [['allow-list', 'execvp("ping", a)']],
  },
  {
    name: 'a program run by a shell',
    code: 'void f(char *h) { execl("/bin/sh", "sh", "-c", h, (char *)NULL); }',
    findings: [['command', 'execl("/bin/sh", "sh", "-c", h, (char *)NULL)']],
  },
  {
    name: 'a program of fixed arguments run without a shell',
    code: 'void f(void) { char *const a[] = {"ls", "-l", NULL}; execv("/bin/ls", a); }',
  },
  {
    name: "a path that is one of a table's",
    code: 'static const char *names[] = {"a", "b"}; FILE *f(const char *n) { char p[64]; int k = snprintf(p, 64, "/srv/%s", n); if (k >= 64) return NULL; if (strcmp(n, names[0]) != 0) return NULL; return fopen(p, "r"); }',
    spans: [
      ['bounded copy', 'snprintf(p, 64, "/srv/%s", n)'],
      ['truncation', 'if (k >= 64) return NULL;'],
      ['path', 'if (strcmp(n, names[0]) != 0) return NULL;'],
    ],
  },
  {
    name: "a path that is another one's",
    code: 'FILE *f(const char *n, const char *m) { char p[64]; int k = snprintf(p, 64, "/srv/%s", n); if (k >= 64) return NULL; if (strcmp(n, m) != 0) return NULL; return fopen(p, "r"); }',
    findings: [['path', 'fopen(p, "r")']],
    spans: [
      ['bounded copy', 'snprintf(p, 64, "/srv/%s", n)'],
      ['truncation', 'if (k >= 64) return NULL;'],
    ],
  },
  {
    name: 'a path resolved into memory of its own',
    code: 'int main(int argc, char **argv) { if (argc < 2) return 1; char *r = realpath(argv[1], NULL); if (!r) return 1; if (strncmp(r, "/srv/", 5) != 0) { free(r); return 1; } FILE *o = fopen(r, "r"); free(r); return o == NULL; }',
    spans: [
      ['bounds', 'if (argc < 2) return 1;'],
      ['null', 'if (!r) return 1;'],
      ['path', 'if (strncmp(r, "/srv/", 5) != 0) { free(r); return 1; }'],
      ['release', 'free(r)'],
      ['release', 'free(r)'],
    ],
  },
  {
    name: 'text that may be null, printed',
    code: 'void f(void) { char *h = getenv("HOME"); printf("%d %s", 1, h); }',
    findings: [['null-dereference', 'printf("%d %s", 1, h)']],
  },
  {
    name: 'text that may be null, printed with another one in its place',
    code: 'void f(void) { char *h = getenv("HOME"); printf("%d %s", 1, h ? h : "/"); }',
    spans: [['null', 'h']],
  },
  {
    name: 'text cut to a size by strncat',
    code: 'void f(const char *s) { char b[64] = "x: "; strncat(b, s, sizeof(b) - strlen(b) - 1); puts(b); }',
    spans: [['bounded copy', 'strncat(b, s, sizeof(b) - strlen(b) - 1)']],
  },
  {
    name: 'the next of a list saved before its memory is freed, by assignment',
    code: 'void f(struct e *c) { struct e *n; while (c) { n = c->next; free(c); c = n; } }',
    spans: [['lifetime', 'n = c->next']],
  },
  {
    name: 'a member read before its memory is freed',
    code: 'int f(struct e *c) { int v = c->value; free(c); return v; }',
    spans: [['lifetime', 'v = c->value']],
  },
  {
    name: 'a member read after its memory is freed',
    code: 'int f(struct e *c) { free(c); int v = c->value; return v; }',
    findings: [['use-after-free', 'c->value']],
  },
  {
    name: 'an allocation grown in place',
    code: 'int f(struct v *v, size_t n) { v->d = realloc(v->d, n); return v->d ? 0 : -1; }',
    findings: [['leak', 'v->d = realloc(v->d, n)']],
  },
  {
    name: 'an allocation grown into another variable',
    code: 'int f(struct v *v, size_t n) { char *d = realloc(v->d, n); if (!d) return -1; v->d = d; return 0; }',
    spans: [['release', '*d = realloc(v->d, n)']],
  },
  {
    name: 'an allocation grown in place, or the program ends',
    code: 'void f(struct v *v, size_t n) { v->d = realloc(v->d, n); if (v->d == NULL) exit(1); }',
  },
  {
    name: 'a value where no other one fits',
    code: 'int f(int c) { int r; if (c == 1) r = 5; else r = 0; return r; }',
    spans: [['initialisation', 'r = 0']],
  },
  {
    name: 'a value for no case of a switch',
    code: 'int f(int c) { int r; switch (c) { case 1: r = 10; break; case 2: r = 20; break; default: r = 0; } return r; }',
    spans: [['initialisation', 'r = 0']],
  },
  {
    name: 'a value that no case of a switch need give',
    code: 'int f(int c) { int r; switch (c) { case 1: r = 10; break; case 2: r = 20; break; } return r; }',
    findings: [['uninitialised', 'r']],
  },
  {
    name: 'a value from before a switch',
    code: 'int f(int c) { int r = 0; switch (c) { case 1: r = 10; break; case 2: r = 20; break; } return r; }',
    spans: [['initialisation', 'r = 0']],
  },
  {
    name: 'a switch over all of an enumeration',
    code: 'enum k { A, B }; int f(enum k c) { int r; switch (c) { case A: r = 10; break; case B: r = 20; break; } return r; }',
  },
  {
    name: 'a sum asked for before, for either sign',
    code: 'int main(void) { int a = 0, b = 0; if (scanf("%d %d", &a, &b) != 2) return 1; if ((b > 0 && a > INT_MAX - b) || (b < 0 && a < INT_MIN - b)) return 1; return a + b; }',
    spans: [['overflow', 'if ((b > 0 && a > INT_MAX - b) || (b < 0 && a < INT_MIN - b)) return 1;']],
  },
  {
    name: 'a sum asked for before, for one sign',
    code: 'int main(void) { int a = 0, b = 0; if (scanf("%d %d", &a, &b) != 2) return 1; if (b > 0 && a > INT_MAX - b) return 1; return a + b; }',
    findings: [['overflow', 'a + b']],
  },
  {
    name: 'a sum that a function asks for',
    code: 'int ok(int a, int b) { if (b > 0 && a > INT_MAX - b) return 0; if (b < 0 && a < INT_MIN - b) return 0; return 1; } int main(void) { int a = 0, b = 0; if (scanf("%d %d", &a, &b) != 2) return 1; if (!ok(a, b)) return 1; return a + b; }',
    spans: [
      ['overflow', 'if (b > 0 && a > INT_MAX - b) return 0;'],
      ['overflow', 'if (b < 0 && a < INT_MIN - b) return 0;'],
      ['overflow', 'if (!ok(a, b)) return 1;'],
    ],
  },
  {
    name: 'a product asked for before, but for zero',
    code: 'void *f(size_t n, size_t m) { if (m != 0 && n > SIZE_MAX / m) return NULL; return malloc(n * m); }',
    spans: [['overflow', 'if (m != 0 && n > SIZE_MAX / m) return NULL;']],
  },
  {
    name: 'a product of a wider type',
    code: 'int main(void) { int a = 0, b = 0; if (scanf("%d %d", &a, &b) != 2) return 1; long s = (long)a * b; return s > 9; }',
    spans: [['overflow', '(long)a']],
  },
  {
    name: 'a number that was read, compared with zero',
    code: 'int main(void) { int n = 0; if (scanf("%9d", &n) != 1) return 1; if (n == 0) return 1; return 10 / n; }',
    spans: [['divisor', 'if (n == 0) return 1;']],
  },
  {
    name: 'a process for each request, waited for',
    code: 'void f(int s) { while (1) { int c = accept(s, 0, 0); pid_t p = fork(); if (p == 0) _exit(c); waitpid(p, NULL, 0); } }',
    spans: [['limit', 'waitpid(p, NULL, 0)']],
  },
  {
    name: 'a mutex that is unlocked on every way out',
    code: 'int used; pthread_mutex_t m; int f(int n) { pthread_mutex_lock(&m); if (n > 9) { pthread_mutex_unlock(&m); return -1; } used = n; pthread_mutex_unlock(&m); return 0; }',
    spans: [
      ['lock', 'pthread_mutex_lock(&m)'],
      ['lock', 'pthread_mutex_unlock(&m)'],
      ['lock', 'pthread_mutex_unlock(&m)'],
    ],
  },
  {
    name: 'a mutex that is locked still on one way out',
    code: 'int used; pthread_mutex_t m; int f(int n) { pthread_mutex_lock(&m); if (n > 9) return -1; used = n; pthread_mutex_unlock(&m); return 0; }',
    findings: [['unpaired-lock', 'return -1;']],
    spans: [
      ['lock', 'pthread_mutex_lock(&m)'],
      ['lock', 'pthread_mutex_unlock(&m)'],
    ],
  },
  {
    name: 'a mutex that nothing locked',
    code: 'int f(struct q *q) { int n = q->n; pthread_mutex_unlock(&q->m); return n; }',
    findings: [['unpaired-lock', 'pthread_mutex_unlock(&q->m)']],
  },
  {
    name: 'a mutex locked on one way, and unlocked on that',
    code: 'void f(struct q *q, int k) { if (k) pthread_mutex_lock(&q->m); q->n = 1; if (k) pthread_mutex_unlock(&q->m); }',
    spans: [
      ['lock', 'pthread_mutex_lock(&q->m)'],
      ['lock', 'pthread_mutex_unlock(&q->m)'],
    ],
  },
  {
    name: 'a function that locks for others',
    code: 'void queue_lock(struct q *q) { pthread_mutex_lock(&q->m); }',
  },
  {
    name: 'a mutex that one may have got',
    code: 'int f(struct q *q) { if (pthread_mutex_trylock(&q->m) != 0) return 0; q->n = 1; pthread_mutex_unlock(&q->m); return 1; }',
  },
  {
    name: 'a mutex unlocked by what is called with it locked',
    code: 'static void done(struct q *q) { q->n = 0; pthread_mutex_unlock(&q->m); } void f(struct q *q) { pthread_mutex_lock(&q->m); done(q); }',
    spans: [['lock', 'pthread_mutex_lock(&q->m)']],
  },
  {
    name: 'a number, if there is one, and where it ends, in two steps',
    code: "int f(const char *t, long *v) { char *e; *v = strtol(t, &e, 10); if (e == t) return -1; if (*e != '\\0') return -1; return 0; }",
    spans: [
      ['parse', 'if (e == t) return -1;'],
      ['parse', "if (*e != '\\0') return -1;"],
    ],
  },
  {
    name: 'a number, wherever the text goes on',
    code: 'int f(const char *t, long *v) { char *e; *v = strtol(t, &e, 10); if (e == t) return -1; return 0; }',
    findings: [['rest-of-number', 'strtol(t, &e, 10)']],
    spans: [['parse', 'if (e == t) return -1;']],
  },
  {
    name: 'a number, or a text without one',
    code: "int f(const char *t, long *v) { char *e; *v = strtol(t, &e, 10); if (*e != '\\0') return -1; return 0; }",
    findings: [['empty-number', 'strtol(t, &e, 10)']],
    spans: [['parse', "if (*e != '\\0') return -1;"]],
  },
  {
    name: 'a number of a text that is not empty',
    code: "int f(const char *t, long *v) { char *e; if (t[0] == '\\0') return -1; *v = strtol(t, &e, 10); if (*e != '\\0') return -1; return 0; }",
    spans: [['parse', "if (*e != '\\0') return -1;"]],
  },
  {
    name: 'a number that is more than zero',
    code: "long f(const char *t) { char *e; long v = strtol(t, &e, 10); if (*e != '\\0' || v <= 0) return 1; return v; }",
    spans: [['parse', "if (*e != '\\0' || v <= 0) return 1;"]],
  },
  {
    name: 'numbers one after another',
    code: 'long f(const char *t) { char *e; long s = 0; for (;;) { long v = strtol(t, &e, 10); if (e == t) break; s ^= v; t = e; } return s; }',
    spans: [['loop', 'if (e == t) break;']],
  },
  {
    name: 'the only way out of a loop',
    code: 'void f(void) { int i = 0; while (1) { if (i == 10) break; i++; } }',
    spans: [['loop', 'if (i == 10) break;']],
  },
  {
    name: 'one of two ways out of a loop',
    code: 'void f(int k) { int i = 0; while (1) { if (i == 10) break; if (i == k) return; i++; } }',
  },
  {
    name: 'processes up to a number',
    code: 'void f(int s) { int n = 0; while (1) { int c = accept(s, 0, 0); if (n >= 64) continue; n++; if (fork() == 0) _exit(c); } }',
    spans: [['limit', 'if (n >= 64) continue;']],
  },
];
