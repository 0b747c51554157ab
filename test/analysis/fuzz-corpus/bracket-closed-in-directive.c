int x;
void f(const
# char *p, int n)
{
  p[n] = 0;
}
