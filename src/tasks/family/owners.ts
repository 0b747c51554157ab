import { type CNode, type CSource, child, descendants } from '../../analysis/c/syntax.js';
import type { FamilySpec } from './spec.js';
import { type StepId, stepIds } from './spec.js';
import { steps } from './steps.js';

/** Which steps of a program a piece of its code belongs to, by the parameters that it, or what its variables were set to, names. */
export class Owners {
  readonly #source: CSource;
  readonly #ownerOf = new Map<string, StepId>();
  /** What the function's variables are set to, by name. */
  readonly #set = new Map<string, CNode[]>();

  constructor(source: CSource, body: CNode, parameters: readonly string[], spec: FamilySpec) {
    this.#source = source;
    spec.parameters.forEach((role, i) => {
      const owner = spec.steps.find((step) => steps[step].roles.includes(role));
      if (owner !== undefined) this.#ownerOf.set(parameters[i] as string, owner);
    });
    for (const node of descendants(body)) {
      if (node.type === 'init_declarator') this.#note(child(node, 'declarator'), child(node, 'value'));
      if (node.type === 'assignment_expression') this.#note(child(node, 'left'), child(node, 'right'));
    }
  }

  /** In the order of {@link stepIds}. */
  of(node: CNode): StepId[] {
    const found = new Set<StepId>();
    const seen = new Set<string>();
    const look = (at: CNode): void => {
      for (const name of this.#names(at)) {
        if (seen.has(name)) continue;
        seen.add(name);
        const owner = this.#ownerOf.get(name);
        if (owner !== undefined) found.add(owner);
        for (const value of this.#set.get(name) ?? []) look(value);
      }
    };
    look(node);
    return stepIds.filter((step) => found.has(step));
  }

  #note(to: CNode | undefined, value: CNode | undefined): void {
    if (to === undefined || value === undefined) return;
    const name = this.#names(to).at(-1);
    if (name === undefined) return;
    const values = this.#set.get(name);
    if (values === undefined) this.#set.set(name, [value]);
    else values.push(value);
  }

  #names(node: CNode): string[] {
    return descendants(node)
      .filter(({ type }) => type === 'identifier')
      .map((name) => this.#source.text(name));
  }
}

/** The statement or declaration that an expression is in. */
export function statementOf(node: CNode): CNode {
  let at = node;
  while (at.parent !== null && !/_statement$|^declaration$/.test(at.type)) at = at.parent;
  return at;
}
