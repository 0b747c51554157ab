import { Machine, type Meter, type Run, type Runnable, Unknown, type World } from '../../analysis/c/machine.js';
import { readFunction } from '../../analysis/c/program.js';
import { type CNode, type CSource, child } from '../../analysis/c/syntax.js';
import { int, Memory, Pointer, type Value } from '../../analysis/c/values.js';
import { allowedHeaders } from '../c-answers/index.js';
import { type Attempt, type Benign, type Obligation, obligationsOf } from './obligations.js';
import type { FamilySpec, Role, StepId } from './spec.js';
import { parameterTypes } from './steps.js';

/** The definition of the function that a spec asks for. */
export interface FunctionNode {
  node: CNode;
  body: CNode;
  /** Names in order: the tests pass arguments by position. */
  parameters: string[];
}

/** Work for one program, all its runs together: a second at the very most. */
export const mostWork = 1_500_000;

export const headers: ReadonlySet<string> = new Set(allowedHeaders);

/** What a run showed, and what lay behind `outp` after it. */
export interface Attempted {
  run: Run;
  stored: Value;
}

/** What the other steps got beside an attack on one. */
export interface Beside {
  step: StepId;
  input: Benign;
}

export interface Circumstances extends Pick<World, 'forced' | 'excused' | 'calledBefore' | 'allocationFails'> {
  /** Which of their benign inputs the other steps get. */
  variant?: number;
}

/** Runs a program's function, with inputs of its own for each of its steps. */
export class Trials {
  readonly #meter: Meter;
  readonly #program: Runnable;
  readonly #spec: FamilySpec;
  readonly #obligations: ReadonlyMap<StepId, Obligation>;

  /** @throws Unknown for a program that is not understood. */
  constructor(source: CSource, { node }: FunctionNode, spec: FamilySpec, meter: Meter) {
    this.#meter = meter;
    this.#spec = spec;
    this.#obligations = obligationsOf(spec);
    const parameters = spec.parameters.map((role) => parameterTypes[role]);
    this.#program = readFunction(source, node, { name: spec.functionName, parameters, headers });
  }

  /** Whether a call may differ from the first one, for what that left in static variables. */
  get remembers(): boolean {
    return this.#program.remembers;
  }

  /** Runs the function on an input for one step, and on benign ones for the others. */
  attempt(step: StepId, input: Attempt, circumstances: Circumstances = {}): Attempted & { beside: Beside[] } {
    const { variant = 0 } = circumstances;
    const others = this.#spec.steps.filter((other) => other !== step);
    const beside = others.map((other) => ({ step: other, input: this.benignInput(other, variant) }));
    return { ...this.run([...beside.map((other) => other.input), input], circumstances), beside };
  }

  obligation(step: StepId): Obligation {
    return this.#obligations.get(step) as Obligation;
  }

  /** Benign input number `variant` of a step; they begin anew after the last one. */
  benignInput(step: StepId, variant: number): Benign {
    const { benign } = this.obligation(step);
    return (benign[variant % benign.length] as (typeof benign)[number])();
  }

  /** Runs the function on inputs for all its steps. */
  run(inputs: readonly Attempt[], { variant: _, ...world }: Circumstances = {}): Attempted {
    // -77 is no result of any benign input.
    const stored = new Memory([-77n], int);
    const values: Partial<Record<Role, Value>> = { outp: new Pointer(stored) };
    let file: string | null | undefined;
    for (const input of inputs) {
      Object.assign(values, input.inputs);
      if (input.file !== undefined) file = input.file;
    }
    const parameters = this.#spec.parameters.map((role) => values[role]);
    const run = Machine.run(this.#program, { parameters, file, meter: this.#meter, ...world });
    return { run, stored: stored.cells[0] };
  }
}

/** The definition of the function that the spec asks for, with as many parameters as it asks for. */
export function findFunction(source: CSource, spec: FamilySpec): FunctionNode | undefined {
  for (const node of source.root.children) {
    if (node.type !== 'function_definition') continue;
    const declarator = child(node, 'declarator');
    const name = declarator && child(declarator, 'declarator');
    const body = child(node, 'body');
    if (declarator?.type !== 'function_declarator' || body === undefined) continue;
    if (name === undefined || source.text(name) !== spec.functionName) continue;
    const list = child(declarator, 'parameters')?.children ?? [];
    const parameters = list.map((parameter) => {
      let at: CNode | undefined = parameter;
      while (at !== undefined && at.type !== 'identifier') at = child(at, 'declarator');
      return at === undefined ? '' : source.text(at);
    });
    return parameters.length === spec.parameters.length ? { node, body, parameters } : undefined;
  }
  return undefined;
}

/** The trials of a program; undefined for one that is not understood. */
export function trialsOf(
  source: CSource,
  functionNode: FunctionNode,
  spec: FamilySpec,
  meter: Meter,
): Trials | undefined {
  try {
    return new Trials(source, functionNode, spec, meter);
  } catch (error) {
    if (error instanceof Unknown) return undefined;
    throw error;
  }
}
