import { type Guard, Meter, type Run } from '../../analysis/c/machine.js';
import type { CNode, CSource } from '../../analysis/c/syntax.js';
import { type Memory, Pointer, type Value } from '../../analysis/c/values.js';
import type { Attack, Attempt } from './obligations.js';
import { Owners, statementOf } from './owners.js';
import type { FamilySpec, StepId } from './spec.js';
import { steps } from './steps.js';
import { type Circumstances, type FunctionNode, mostWork, type Trials, trialsOf } from './trials.js';

export interface StepResult {
  step: StepId;
  state: 'secure' | 'vulnerable' | 'missing';
  /** Some run of it ended in what the machine does not understand, or has no patience for. */
  doubtful: boolean;
  /** Where a vulnerable step does harm. */
  flaw: CNode | undefined;
  /** What keeps the attacks away from a secure step. */
  credited: CNode[];
  /** For each attack that would do harm, the guards that reject it. */
  rejecting: CNode[][];
}

/** Runs a program on benign inputs and attacks for each of its steps. */
export function judgeSteps(
  source: CSource,
  functionNode: FunctionNode,
  spec: FamilySpec,
  meter: Meter = new Meter(mostWork),
): StepResult[] {
  const trials = trialsOf(source, functionNode, spec, meter);
  if (trials === undefined) {
    return spec.steps.map((step) => ({
      ...{ step, state: 'missing', doubtful: true, flaw: undefined, credited: [], rejecting: [] },
    }));
  }
  const judging = new Judging(trials, new Owners(source, functionNode.body, functionNode.parameters, spec), spec);
  return judging.withFlaws(spec.steps.map((step) => judging.judge(step)));
}

/** Guards that are needed: those that alone reject an attack, and the first one for an attack that none of them rejects. */
export function cover(rejections: readonly CNode[][]): Set<CNode> {
  const needed = new Set(rejections.filter((guards) => guards.length === 1).flat());
  for (const guards of rejections) if (!guards.some((guard) => needed.has(guard))) needed.add(guards[0] as CNode);
  return needed;
}

type Make = () => Attack;

interface Tried {
  run: Run;
  attack: Attack;
  /** It ended by itself, or in harm. */
  understood: boolean;
  harm: CNode | undefined;
}

/** What an attack came to. */
interface Finding {
  doubtful?: boolean;
  flaw?: CNode;
  /** Guards without which it does harm. */
  guards?: CNode[];
  /** What else keeps the harm away. */
  defences?: CNode[];
}

// An attack that as many guards reject one after another is looked at no further.
const mostGuards = 8;
// Decisions that are left out to see whether they keep the harm away, the last ones first.
const mostDecisions = 8;
// Allocations that fail one by one.
const mostAllocations = 8;

class Judging {
  readonly #trials: Trials;
  readonly #owners: Owners;
  readonly #spec: FamilySpec;
  /** Undefined behaviour that benign inputs meet, by the step that it belongs to; the others are judged as if it were not there. */
  readonly #flaws = new Map<StepId, CNode>();
  readonly #excused = new Set<CNode>();
  readonly #unserved = new Set<StepId>();
  /** Conditions that held for a benign input, and that did not. */
  readonly #benign = { true: new Set<CNode>(), false: new Set<CNode>() };
  #doubtful = false;
  /** The first call, and where calls may differ a later one, of which nothing is known but that there were others. */
  readonly #calls: readonly Circumstances[];

  constructor(trials: Trials, owners: Owners, spec: FamilySpec) {
    this.#trials = trials;
    this.#owners = owners;
    this.#spec = spec;
    this.#calls = trials.remembers ? [{}, { calledBefore: true }] : [{}];
    const variants = Math.max(...spec.steps.map((step) => trials.obligation(step).benign.length));
    for (const call of this.#calls) for (let variant = 0; variant < variants; variant++) this.#serve(variant, call);
    this.#starve();
  }

  judge(step: StepId): StepResult {
    let flaw = this.#flaws.get(step);
    let doubtful = this.#doubtful;
    const defences = new Set<CNode>();
    const rejecting: CNode[][] = [];
    // Where benign inputs are not understood, no attack is.
    for (const [variant, makeAttack] of (doubtful ? [] : this.#trials.obligation(step).attacks).entries()) {
      // The other steps' inputs differ, too, from one attack to the next.
      const found = this.#attacked(step, makeAttack, { variant }, defences);
      flaw ??= found.flaw;
      doubtful ||= found.doubtful === true;
      if (found.guards !== undefined) rejecting.push(found.guards);
      for (const node of found.defences ?? []) defences.add(node);
    }
    const served = !doubtful && !this.#unserved.has(step);
    const state = flaw !== undefined ? 'vulnerable' : served ? 'secure' : 'missing';
    const credited = [...cover(rejecting), ...defences].sort((a, b) => a.start - b.start);
    return { step, state, doubtful, flaw, credited: state === 'secure' ? credited : [], rejecting };
  }

  /** Runs the function on benign inputs for all steps. */
  #serve(variant: number, call: Circumstances): void {
    // One such run is enough.
    if (this.#doubtful) return;
    for (;;) {
      const inputs = this.#spec.steps.map((step) => this.#trials.benignInput(step, variant));
      const { run, stored } = this.#trials.run(inputs, { ...call, excused: this.#excused });
      const { trap } = run;
      if (trap !== undefined) {
        const owner = this.#ownerOf(trap, inputs);
        if (!this.#flaws.has(owner)) this.#flaws.set(owner, trap.node);
      }
      if (trap !== undefined && !this.#excused.has(trap.node)) {
        this.#excused.add(trap.node);
        continue;
      }
      if (run.outcome === 'unknown') this.#doubtful = true;
      for (const [node, held] of run.decisions) this.#benign[`${held}`].add(node);
      inputs.forEach((input, at) => {
        const step = this.#spec.steps[at] as StepId;
        const last = at === inputs.length - 1;
        // A function that yields no value says with 0 that all went well.
        const ended = !last || steps[step].value || run.returned === 0n;
        const done = run.outcome === 'returned' && ended && input.done(run, last ? run.returned : stored);
        if (!done) this.#unserved.add(step);
      });
      return;
    }
  }

  /** Runs the function on benign inputs while one allocation after the other fails, whichever step it serves. */
  #starve(): void {
    if (this.#doubtful) return;
    for (let failing = 0; failing < mostAllocations; failing++) {
      let count = 0;
      const inputs = this.#spec.steps.map((step) => this.#trials.benignInput(step, failing));
      const allocationFails = (): boolean => count++ === failing;
      const { trap } = this.#trials.run(inputs, { allocationFails, excused: this.#excused }).run;
      if (trap !== undefined && !this.#excused.has(trap.node)) {
        const owner = this.#ownerOf(trap, inputs);
        if (!this.#flaws.has(owner)) this.#flaws.set(owner, trap.node);
      }
      if (count <= failing) return;
    }
  }

  #ownerOf({ node, memory }: NonNullable<Run['trap']>, inputs: readonly Attempt[]): StepId {
    const { steps } = this.#spec;
    const given = inputs.findIndex((input) => Object.values(input.inputs).some((value) => reaches(value, memory)));
    const named = this.#owners.of(node);
    return steps[given] ?? steps.find((step) => named.includes(step)) ?? (steps.at(-1) as StepId);
  }

  #attacked(step: StepId, makeAttack: Make, others: Circumstances, defences: ReadonlySet<CNode>): Finding {
    const starved = this.#starved(step, makeAttack());
    const [first, ...later] = this.#calls.map((call) => ({ ...call, ...others, ...starved }));
    const finding = this.#withstood(step, makeAttack, first ?? {}, defences);
    const look = (call: Circumstances): void => {
      const { run, understood, harm } = this.#try(step, makeAttack, call);
      if (!understood) finding.doubtful = true;
      else if (harm !== undefined && !this.#isOthers(step, run, call)) finding.flaw ??= harm;
    };
    for (const call of later) look(call);
    // One after the other: each run counts the allocations for the next.
    for (const call of this.#starvedOtherwise(makeAttack, others)) look(call);
    return finding;
  }

  /** Takes away what rejects an attack, one guard after another, until it does harm or nothing rejects it any more. */
  #withstood(step: StepId, makeAttack: Make, call: Circumstances, defences: ReadonlySet<CNode>): Finding {
    const left: Guard[] = [];
    for (;;) {
      const forced = new Map(left.map(({ condition, held }) => [condition, !held]));
      const { run, attack, understood, harm } = this.#try(step, makeAttack, { ...call, forced });
      if (!understood) return left.length === 0 ? { doubtful: true } : {};
      if (harm !== undefined) return left.length === 0 ? { flaw: harm } : { guards: left.map((one) => one.statement) };
      const guard = rejectedBy(run);
      if (guard !== undefined && !forced.has(guard.condition) && left.length < mostGuards) {
        left.push(guard);
        continue;
      }
      if (attack.harmless) return {};
      const known = attack.defence(run);
      return { defences: known ?? this.#decisive(step, makeAttack, { ...call, forced }, run, defences) };
    }
  }

  /** The last decision that tells the attack from benign inputs, and without which it does harm. */
  #decisive(
    step: StepId,
    makeAttack: Make,
    call: Circumstances,
    { decisions }: Run,
    defences: ReadonlySet<CNode>,
  ): CNode[] {
    const last = [...decisions]
      .filter(([node, held]) => !call.forced?.has(node) && this.#benign[`${!held}`].has(node))
      .slice(-mostDecisions);
    for (const [node, held] of last.reverse()) {
      if (defences.has(node)) return [];
      const forced = new Map([...(call.forced ?? []), [node, !held] as const]);
      if (this.#try(step, makeAttack, { ...call, forced }).harm !== undefined) return [node];
    }
    return [];
  }

  #try(step: StepId, makeAttack: Make, circumstances: Circumstances): Tried {
    const attack = makeAttack();
    const { run, stored, beside } = this.#trials.attempt(step, attack, { ...circumstances, excused: this.#excused });
    const resultOf = (of: StepId): Value => (of === this.#spec.steps.at(-1) ? run.returned : stored);
    // What is excused can still end a run: in a condition.
    const trap = run.trap !== undefined && !this.#excused.has(run.trap.node) ? run.trap.node : undefined;
    // To end the caller's process is no answer, whatever it keeps away.
    const ended = run.outcome === 'returned';
    const harm = trap ?? (ended ? attack.harm(run, resultOf(step)) : undefined);
    // What an attack on one step has another do is the other's flaw; where a guard is passed over it shows nothing.
    if (ended && (circumstances.forced?.size ?? 0) === 0) {
      for (const other of beside) this.#blame(other.step, other.input.harm(run, resultOf(other.step)));
    }
    return { run, attack, understood: ended || trap !== undefined, harm };
  }

  #blame(step: StepId, flaw: CNode | undefined): void {
    if (flaw !== undefined && !this.#flaws.has(step)) this.#flaws.set(step, flaw);
  }

  /** Results with what attacks on later steps showed of earlier ones. */
  withFlaws(results: readonly StepResult[]): StepResult[] {
    return results.map((result) => {
      const flaw = result.flaw ?? this.#flaws.get(result.step);
      return flaw === undefined ? result : { ...result, flaw, state: 'vulnerable', credited: [] };
    });
  }

  // Allocations that fail

  /** Where an attack makes allocations fail: those of its step. */
  #starved(step: StepId, { allocationFails }: Attack): Circumstances {
    if (allocationFails !== true) return {};
    return {
      allocationFails: (call) => {
        const owners = this.#owners.of(statementOf(call));
        return owners.length === 0 || owners.includes(step);
      },
    };
  }

  /** And all of them, and each of them alone. */
  *#starvedOtherwise(makeAttack: Make, others: Circumstances): Generator<Circumstances> {
    if (makeAttack().allocationFails !== true) return;
    yield { ...others, allocationFails: () => true };
    for (let failing = 0; failing < mostAllocations; failing++) {
      let count = 0;
      yield { ...others, allocationFails: () => count++ === failing };
      if (count <= failing) return;
    }
  }

  /** Whether harm for want of memory belongs to another step that allocates, and is found there. */
  #isOthers(step: StepId, { trap }: Run, { allocationFails }: Circumstances): boolean {
    if (allocationFails === undefined || trap === undefined) return false;
    const owners = this.#owners.of(statementOf(trap.node));
    return (
      !owners.includes(step) &&
      owners.some((owner) => this.#trials.obligation(owner).attacks.some((make) => make().allocationFails))
    );
  }
}

/** The if by which the function refused its input. */
function rejectedBy({ outcome, returned, leftBy }: Run): Guard | undefined {
  return outcome === 'returned' && returned === -1n ? leftBy : undefined;
}

function reaches(value: Value, memory: Memory | undefined): boolean {
  if (!(value instanceof Pointer) || value.memory === undefined || memory === undefined) return false;
  if (value.memory === memory) return true;
  const [held] = value.memory.cells;
  return held instanceof Pointer && held.memory === memory;
}
