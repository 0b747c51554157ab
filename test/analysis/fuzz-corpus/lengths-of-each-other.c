char a[sizeof(b)];
char b[sizeof(a)];
int f(void) { return a[b[0]]; }
