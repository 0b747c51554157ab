import type { Case } from './cases.js';

/** C++: what has no case of its own in C. */
export const cppCases: Case[] = [
  {
    name: 'an array of new that is lost',
    code: 'int f(int n) { int *p = new int[4]; p[0] = n; return n; }',
    findings: [['leak', 'return n;']],
  },
  {
    name: 'an array of new and its delete[]',
    code: 'int f(int n) { int *p = new int[4]; p[0] = n; delete[] p; return n; }',
    spans: [['release', 'delete[] p']],
  },
  {
    name: 'an array of new that its owner frees',
    code: 'int f(int n) { std::unique_ptr<int[]> p(new int[4]); p[0] = n; return n; }',
    spans: [['release', 'std::unique_ptr<int[]> p(new int[4])']],
  },
  {
    name: 'an array that delete takes for one thing',
    code: 'void f(int n) { int *p = new int[4]; p[0] = n; delete p; }',
    findings: [['free-mismatch', 'delete p']],
    spans: [['release', 'delete p']],
  },
  {
    name: 'a thing of new that free gets',
    code: 'void f() { int *p = new int; *p = 1; std::free(p); }',
    findings: [['free-mismatch', 'std::free(p)']],
    spans: [['release', 'std::free(p)']],
  },
  {
    name: 'a double delete, and delete of what is set to null',
    code: 'void f(int *p) { delete p; delete p; } void g(int *p) { delete p; p = nullptr; delete p; }',
    findings: [['double-free', 'delete p']],
    spans: [['lifetime', 'p = nullptr']],
  },
  {
    name: 'a use after delete',
    code: 'struct N { int v; N *next; }; int f(N *n) { delete n; return n->v; }',
    findings: [['use-after-free', 'n->v']],
  },
  {
    name: 'a write outside an array of new',
    code: 'void f() { char *p = new char[8]; p[8] = 1; delete[] p; }',
    findings: [['write-outside', 'p[8]']],
    spans: [['release', 'delete[] p']],
  },
  {
    name: 'new that may fail, and its test',
    code: 'void f() { int *p = new (std::nothrow) int; *p = 1; delete p; } void g() { int *p = new (std::nothrow) int; if (!p) return; *p = 1; delete p; }',
    findings: [['null-dereference', '*p']],
    spans: [
      ['release', 'delete p'],
      ['null', 'if (!p) return;'],
      ['release', 'delete p'],
    ],
  },
  {
    name: 'a command put together from an argument',
    code: 'int run(const char *dir) { std::string cmd = "ls " + std::string(dir); return std::system(cmd.c_str()); }',
    findings: [['command', 'std::system(cmd.c_str())']],
  },
  {
    name: 'a command from harmless characters alone',
    code: 'int run(const char *given) { std::string name(given); if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos) return 1; std::string cmd = "ls " + name; return system(cmd.c_str()); }',
    spans: [['allow-list', 'if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != std::string::npos) return 1;']],
  },
  {
    name: 'a command from one of fixed words',
    code: 'int run(const std::string &name) { if (name != "status") return 1; std::string cmd = "svc " + name; return system(cmd.c_str()); }',
    spans: [['allow-list', 'if (name != "status") return 1;']],
  },
  {
    name: 'a statement gathered by a stream',
    code: 'int f(sqlite3 *db, const std::string &user) { std::ostringstream sql; sql << "SELECT * FROM t WHERE u = \'" << user << "\'"; return sqlite3_exec(db, sql.str().c_str(), 0, 0, 0); }',
    findings: [['sql', 'sqlite3_exec(db, sql.str().c_str(), 0, 0, 0)']],
  },
  {
    name: 'a statement with a placeholder',
    code: 'int f(sqlite3 *db, sqlite3_stmt **s) { std::string sql = "SELECT * FROM t WHERE u = ?"; return sqlite3_prepare_v2(db, sql.c_str(), -1, s, 0); }',
  },
  {
    name: 'a path below a directory',
    code: 'void f(const std::string &name) { std::string path = "/srv/" + name; std::ifstream in(path); }',
    findings: [['path', 'std::ifstream in(path)']],
  },
  {
    name: 'a path without a way up',
    code: 'void f(const std::string &name) { if (name.find("..") != std::string::npos) throw std::runtime_error("no"); std::string path = "/srv/" + name; std::ifstream in(path); }',
    spans: [['path', 'if (name.find("..") != std::string::npos) throw std::runtime_error("no");']],
  },
  {
    name: 'an index into a vector, untested',
    code: 'int f(std::vector<int> &v) { int i; std::cin >> i; return v[i]; }',
    findings: [['read-outside', 'v[i]']],
  },
  {
    name: 'an index into a vector, tested',
    code: 'int f(std::vector<int> &v) { size_t i; std::cin >> i; if (i >= v.size()) throw std::out_of_range("i"); return v[i]; }',
    spans: [['bounds', 'if (i >= v.size()) throw std::out_of_range("i");']],
  },
  {
    name: 'an index into a vector that at() tests',
    code: 'int f(std::vector<int> &v) { size_t i; std::cin >> i; return v.at(i); }',
  },
  {
    name: 'a word of any length into a buffer',
    code: 'void f() { char b[8]; std::cin >> b; }',
    findings: [['text-overflow', 'std::cin >> b']],
  },
  {
    name: 'a word into text that makes room for it',
    code: 'void f() { std::string s; std::cin >> s; }',
  },
  {
    name: 'text copied into a buffer',
    code: 'void f(const std::string &s) { char b[8]; std::strcpy(b, s.c_str()); }',
    findings: [['text-overflow', 'std::strcpy(b, s.c_str())']],
  },
  {
    name: 'text copied into a buffer that it fits',
    code: 'void f(const std::string &s) { char b[8]; if (s.size() >= sizeof(b)) return; std::strcpy(b, s.c_str()); }',
    spans: [['bounded copy', 'if (s.size() >= sizeof(b)) return;']],
  },
  {
    name: 'classes, templates, lambdas, exceptions and range loops are walked without harm',
    code: 'namespace n { template <typename T> class Box { public: explicit Box(int n) : n_(n), p_(new T[n]) {} ~Box() { delete[] p_; } Box(const Box &) = delete; const T &get(size_t i) const { if (i >= n_) throw std::out_of_range("i"); return p_[i]; } private: size_t n_; T *p_; }; int sum(const std::vector<int> &v) { int s = 0; for (const auto &e : v) { if (e < 0) continue; s ^= e; } auto sq = [&](int x) { return x ^ s; }; try { s = sq(s); } catch (const std::exception &e) { std::cerr << "no " << e.what() << std::endl; } return s; } }',
    spans: [['bounds', 'if (i >= n_) throw std::out_of_range("i");']],
  },
  {
    name: 'a destructor, and a null test of a member, in a class',
    code: 'class C { char *d = nullptr; public: void set(const char *s) { d = static_cast<char *>(malloc(8)); if (!d) return; d[0] = *s; } };',
    spans: [['null', 'if (!d) return;']],
  },
  {
    name: 'a field that is declared elsewhere, tested',
    code: 'int C::f() { if (!d_) return 0; return d_->x; }',
  },
  {
    name: 'what an unknown function gives, tested',
    code: 'int f(S &s) { auto p = s.find(1); if (p) { return p->x; } return 0; }',
  },
  {
    name: 'a result by reference, of a function of this unit and of an unknown one',
    code: 'void init(int &x) { x = 1; } int f() { int a; int b; init(a); other(b); return a ^ b; }',
    spans: [['initialisation', 'init(a)']],
  },
  {
    name: 'a variable without a value, given to one that takes its value',
    code: 'void f() { int a; printf("%d", a); }',
    findings: [['uninitialised', 'a']],
  },
  {
    name: 'what follows a try that always throws, and what a handler does',
    code: 'int f(const std::string &s) { try { g(); throw std::runtime_error("x"); } catch (const std::exception &e) { log(e); } return system(s.c_str()); }',
    findings: [['command', 'system(s.c_str())']],
  },
  {
    name: 'a guard in a try, whose handler leaves',
    code: 'int f(std::vector<int> &v) { size_t i; try { std::cin >> i; if (i >= v.size()) throw std::out_of_range("i"); } catch (const std::exception &e) { return -1; } return v[i]; }',
    spans: [['bounds', 'if (i >= v.size()) throw std::out_of_range("i");']],
  },
];
