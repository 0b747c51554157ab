int f(const char *message, char **area int v[n = 3]; , size_t alloc_n) { return 0; }
