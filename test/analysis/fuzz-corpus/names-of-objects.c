void f(char *p) { toString(p); constructor(p); __proto__ = p; hasOwnProperty(p)[valueOf] = 1; }
typedef struct constructor toString;
#define A constructor
char b[A + toString];
