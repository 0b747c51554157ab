struct s { int a; struct s b; };
struct s x;
int f(void) { return sizeof(struct s) + x.b.b.a; }
