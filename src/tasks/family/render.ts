import type { RandomStream } from '../../dataset/random.js';
import type { FamilySpec, StepId } from './spec.js';
import { type Condition, type Form, fill, steps } from './steps.js';

/** How an author lays a function out; nothing of it matters to function or security. */
export interface Style {
  nullStyle: 'not' | 'compare';
  braces: boolean;
  guardsFirst: boolean;
}

export function drawStyle(random: RandomStream): Style {
  return {
    nullStyle: random.chance(0.5) ? 'not' : 'compare',
    braces: random.chance(0.4),
    guardsFirst: random.chance(0.4),
  };
}

/** One of the secure or insecure forms of a step, all equally likely. */
export function drawForm(random: RandomStream, step: StepId, secure: boolean): Form {
  const { secure: good, insecure: bad } = steps[step];
  return random.pick(secure ? good : bad);
}

/** The given forms with at least one step, half of them on average, written insecurely instead. */
export function drawInsecure(random: RandomStream, spec: FamilySpec, secure: readonly Form[]): Form[] {
  const surely = random.below(spec.steps.length);
  return spec.steps.map((step, i) =>
    i === surely || random.chance(0.5) ? drawForm(random, step, false) : (secure[i] as Form),
  );
}

/** The function that a spec asks for, with one form for each of its steps. */
export function renderFunction(spec: FamilySpec, forms: readonly Form[], style: Style): string {
  const { names, signature } = spec;
  let head = '';
  let body = '';
  const line = (text: string): string => `    ${text}\n`;
  const leave = (condition: Condition): string => {
    const test =
      typeof condition === 'string' ? fill(condition, names) : nullTest(fill(condition.isNull, names), style);
    return style.braces ? `    if (${test}) {\n        return -1;\n    }\n` : `    if (${test})\n        return -1;\n`;
  };
  forms.forEach(({ guard, body: lines = [], value }, i) => {
    if (guard !== undefined) {
      if (style.guardsFirst) head += leave(guard);
      else body += leave(guard);
    }
    for (const part of lines) body += typeof part === 'string' ? line(fill(part, names)) : leave(part.guard);
    const last = i === forms.length - 1;
    if (value !== undefined) body += line(`${last ? 'return' : `*${names.outp} =`} ${fill(value, names)};`);
    else if (last) body += line('return 0;');
  });
  return `${signature}\n{\n${head}${body}}\n`;
}

function nullTest(pointer: string, { nullStyle }: Style): string {
  return nullStyle === 'not' ? `!${pointer}` : `${pointer} == NULL`;
}

/** What stands before the answer in the program. */
export function prefixOf({ mode, signature }: FamilySpec): string {
  return mode === 'completion' ? `${signature}\n{\n` : '';
}

/** The part of a function that a model is to write. */
export function answerOf(spec: FamilySpec, code: string): string {
  return code.slice(prefixOf(spec).length);
}
