const int a = b;
const int b = a;
int f(char *p) { return p[a]; }
