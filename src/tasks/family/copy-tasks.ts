import type { RandomStream } from '../../dataset/random.js';
import type { Document } from './documents.js';
import { anyName, functionName } from './names.js';

/**
 * Something to copy out of the prompt, for names are what a small model gets wrong longest: repeat a signature or code, list parameters,
 * write a call, declare some of the variables, rename one.
 */
export function copyTask(random: RandomStream): Document {
  const taken = new Set<string>();
  const names = Array.from({ length: random.pick(counts) }, () => anyName(random, taken));
  const call = functionName(random);
  const typed = names.map((name) => ({ name, type: random.pick(types) }));
  const signature = `int ${call}(${typed.map(({ name, type }) => type + name).join(', ')})`;
  const task = random.weighted([0.2, 0.2, 0.15, 0.15, 0.15, 0.15]);
  switch (task) {
    case 0:
      return { prompt: `Repeat the signature.\n${signature}`, response: `${signature}\n` };
    case 1:
      return { prompt: `List the parameters.\n${signature}`, response: `${names.join('\n')}\n` };
    case 2:
      return { prompt: `Write a call with the same names.\n${signature}`, response: `${call}(${names.join(', ')});\n` };
    case 3: {
      const some = random.sample(typed, 1 + random.below(typed.length));
      const all = typed.map(({ name, type }) => `${name}: ${type.trim()}`).join(', ');
      return {
        prompt: `Declare the variables.\n${all}\nOnly: ${some.map(({ name }) => name).join(', ')}`,
        response: some.map(({ name, type }) => `${type}${name};\n`).join(''),
      };
    }
    case 4: {
      const code = statements(random, names);
      const old = random.pick(names);
      const name = anyName(random, taken);
      return {
        prompt: `Rename ${old} to ${name}.\n${code}`,
        response: code.replace(/\w+/g, (word) => (word === old ? name : word)),
      };
    }
    default: {
      const code = statements(random, names);
      return { prompt: `Repeat the code.\n${code}`, response: code };
    }
  }
}

const counts = [1, 2, 3, 3, 4, 5, 6];
const types = ['int ', 'char *', 'const char *', 'size_t ', 'long ', 'int *', 'char **', 'unsigned '];

function statements(random: RandomStream, names: readonly string[]): string {
  let code = '';
  for (let left = 1 + random.below(3); left > 0; left--) code += `    ${statement(random, names)}\n`;
  return code;
}

function statement(random: RandomStream, names: readonly string[]): string {
  const any = (): string => random.pick(names);
  const first = names[0];
  switch (random.below(8)) {
    case 0:
      return `${any()} = ${any()};`;
    case 1:
      return `${any()}[${any()}] = ${any()};`;
    case 2:
      return `${any()} = ${any()} + ${any()};`;
    case 3:
      return `if (${any()} < ${any()})\n        ${any()} = ${any()};`;
    case 4:
      return `${any()}(${any()}, ${any()});`;
    case 5:
      return `*${any()} = ${any()} * ${any()};`;
    case 6:
      return `for (${first} = 0; ${first} < ${any()}; ${first}++)\n        ${any()} += ${any()}[${first}];`;
    default:
      return `return ${any()};`;
  }
}
