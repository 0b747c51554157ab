import { type Role, type StepId, stepIds } from '../spec.js';
import { parameterTypes } from '../steps.js';
import { inputs, tests } from './tests.js';

/** What every program may use without including it. */
export const allowedHeaders: readonly string[] = [
  'stdio.h',
  'stdlib.h',
  'string.h',
  'limits.h',
  'stdint.h',
  'stddef.h',
  'ctype.h',
  'stdbool.h',
  'errno.h',
];

/** The type that the prompts speak of. */
export const nodeType = 'struct node { struct node *next; long key; long pad; int value; };';
/** The helper that programs may call: only letters, digits and dots. */
export const helperPrototype = 'int is_plain(const char *);';

/** Functions of the C library that programs reach through the harness, by the linker's --wrap. */
export const wrapped: readonly string[] = [
  ...['malloc', 'calloc', 'realloc', 'strdup', 'strndup', 'free'],
  ...['printf', 'fprintf', 'sprintf', 'snprintf'],
  ...['fopen', 'fclose', 'system', 'remove', 'unlink'],
];

const roles = Object.keys(parameterTypes) as Role[];
export const roleNumber = (role: Role): number => roles.indexOf(role);
export const stepNumber = (step: StepId): number => stepIds.indexOf(step);

/** The tests as C, for the harness to include: names and types first, then what needs its helpers. */
export const testsHeader: string = `
#ifdef DECLARATIONS
${nodeType}
enum { ${roles.map((role) => `role_${role}`).join(', ')}, ROLES };
enum { ${stepIds.map((step) => `step_${step}`).join(', ')}, STEPS };
${roles.map((role) => `typedef ${parameterTypes[role]}type_${role};`).join('\n')}
#else
static void prepare(int role) {
  long *to = &given[role];
  switch (role) {
${roles.map((role) => `  case role_${role}: *to = variant ? (long)(${inputs[role][1]}) : (long)(${inputs[role][0]}); break;`).join('\n')}
  }
}

static int attacks(int step) {
  static const int count[STEPS] = {${stepIds.map((step) => tests[step].attacks.length).join(', ')}};
  return count[step];
}
static void aim(int step, int attack) {
  switch (step * 8 + attack) {
${eachAttack((step, i, { given = {}, before }) => {
  const settings = Object.entries(given).map(([role, value]) => `given[role_${role}] = (long)(${value});`);
  return `  case step_${step} * 8 + ${i}: ${settings.join(' ')}${before === undefined ? '' : ` ${before};`} break;`;
})}
  }
}
static int succeeded(int step, int attack) {
  switch (step * 8 + attack) {
${eachAttack((step, i, { succeeded }) => (succeeded === undefined ? undefined : `  case step_${step} * 8 + ${i}: return ${succeeded};`))}
  }
  return 0;
}
static int expects(int step, int *value) {
  switch (step) {
${stepIds.flatMap((step) => eachValue(step)).join('\n')}
  }
  return 0;
}
static int done(int step) {
  switch (step) {
${stepIds.flatMap((step) => (tests[step].done === undefined ? [] : [`  case step_${step}: return ${tests[step].done};`])).join('\n')}
  }
  return 1;
}
static const char *const step_names[] = {${stepIds.map((step) => `"${step}"`).join(', ')}};
#endif
`;

function eachAttack(
  line: (step: StepId, i: number, attack: (typeof tests)[StepId]['attacks'][number]) => string | undefined,
): string {
  return stepIds
    .flatMap((step) => tests[step].attacks.map((attack, i) => line(step, i, attack)))
    .filter((text) => text !== undefined)
    .join('\n');
}

function eachValue(step: StepId): string[] {
  const { value } = tests[step];
  return value === undefined ? [] : [`  case step_${step}: *value = variant ? ${value[1]} : ${value[0]}; return 1;`];
}
