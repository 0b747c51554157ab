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
    spans: [['release', 'free(p)']],
  },
];
