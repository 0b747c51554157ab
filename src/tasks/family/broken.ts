import type { RandomStream } from '../../dataset/random.js';
import { reserved, roleNames } from './names.js';
import { answerOf, renderFunction, type Style } from './render.js';
import type { FamilySpec, Role } from './spec.js';
import { type Form, parameterTypes } from './steps.js';

/** A misspelt name; a step left out; an answer that stops midway; another variable than the one meant. */
export type Defect = 'typo' | 'missing' | 'cut' | 'variable';
const defects: readonly Defect[] = ['typo', 'missing', 'cut', 'variable'];

/** An answer with the errors of a model that does not master the language: it does not compile, or does not do what was asked. */
export function breakAnswer(
  random: RandomStream,
  spec: FamilySpec,
  forms: readonly Form[],
  style: Style,
): { code: string; defect: Defect } {
  const defect = random.pick(defects);
  return { code: answerOf(spec, breakers[defect](random, spec, forms, style)), defect };
}

const breakers: Readonly<Record<Defect, typeof missing>> = { typo, missing, cut, variable };

function typo(random: RandomStream, spec: FamilySpec, forms: readonly Form[], style: Style): string {
  const known = knownTo(spec);
  return replaceOne(random, spec, renderFunction(spec, forms, style), (name) => {
    for (;;) {
      const wrong = misspell(random, name);
      if (!known.has(wrong)) return wrong;
    }
  });
}

/** The guard is there, what it guards is not. */
function missing(random: RandomStream, spec: FamilySpec, forms: readonly Form[], style: Style): string {
  const at = random.below(forms.length);
  const { guard } = forms[at] as Form;
  return renderFunction(spec, forms.with(at, guard === undefined ? {} : { guard }), style);
}

/** At least the brace that ends the function is cut off, at most three quarters of its body. */
function cut(random: RandomStream, spec: FamilySpec, forms: readonly Form[], style: Style): string {
  const code = renderFunction(spec, forms, style);
  const from = bodyStart(spec) + Math.ceil((code.length - bodyStart(spec)) / 4);
  const end = code.length - '}\n'.length;
  return code.slice(0, from + random.below(end - from + 1));
}

/** Another string of the function where there is one; else a name that is common for the role, but not in this function. */
function variable(random: RandomStream, spec: FamilySpec, forms: readonly Form[], style: Style): string {
  const { names, parameters } = spec;
  const strings = parameters.filter((role) => parameterTypes[role] === 'const char *');
  // The wrong string can be as long as the right one, and a file of any name may open.
  const telling = strings.filter((role) => role !== 's' && role !== 'cfg');
  if (telling.length > 0 && strings.length > 1) {
    const role = random.pick(telling);
    const wrong = random.pick(strings.filter((other) => other !== role));
    return renderFunction({ ...spec, names: { ...names, [role]: names[wrong] } }, forms, style);
  }
  const known = knownTo(spec);
  return replaceOne(random, spec, renderFunction(spec, forms, style), (_, role) =>
    random.pick(roleNames[role].filter((other) => !known.has(other))),
  );
}

/** Replaces one mention of a parameter in the body by a name that is declared nowhere. */
function replaceOne(
  random: RandomStream,
  spec: FamilySpec,
  code: string,
  replacement: (name: string, role: Role) => string,
): string {
  const roleOf = new Map(spec.parameters.map((role) => [spec.names[role] as string, role]));
  // Words inside of literals are no names.
  const mentions = [...code.matchAll(/"[^"]*"|'[^']*'|\w+/g)].filter(
    ({ 0: word, index }) => index >= bodyStart(spec) && roleOf.has(word),
  );
  const { 0: name, index } = random.pick(mentions);
  return code.slice(0, index) + replacement(name, roleOf.get(name) as Role) + code.slice(index + name.length);
}

function misspell(random: RandomStream, name: string): string {
  const at = random.below(name.length);
  const letter = name[at] as string;
  switch (random.below(3)) {
    case 0:
      return at > 0 ? name.slice(0, at) + name.slice(at + 1) : name;
    case 1:
      return name.slice(0, at) + letter + name.slice(at);
    default:
      return name.slice(0, at) + name.slice(at + 1, at + 2) + letter + name.slice(at + 2);
  }
}

function knownTo({ names, functionName }: FamilySpec): Set<string> {
  return new Set([...Object.values(names), functionName, ...reserved]);
}

function bodyStart({ signature }: FamilySpec): number {
  return signature.length + '\n{\n'.length;
}
