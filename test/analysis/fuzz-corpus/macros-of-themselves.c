#define A A
#define B C
#define C B + B
#define F(x) (F(x) + G(x))
#define G(x) F((x))
int f(int a) { return A + B + F(a); }
