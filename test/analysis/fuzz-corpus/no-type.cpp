void f() { x; static a(1), b = 2, *c{3}; const d = 4; }
int g() { const (*e)(5); std::string; }
