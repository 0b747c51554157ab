import { library } from '../../analysis/c/library/index.js';
import { constants } from '../../analysis/c/literals.js';
import { type CNode, type CSource, child, descendants } from '../../analysis/c/syntax.js';
import type { IdleGuard } from '../../teacher/teacher.js';
import type { FunctionNode } from './trials.js';

/**
 * Guards that keep nothing away although they look as if they did.
 *
 * @param needed - Guards that are credited.
 * @param rejecting - Guards that reject an attack, needed or not.
 */
export function idleGuards(
  source: CSource,
  functionNode: FunctionNode,
  needed: ReadonlySet<CNode>,
  rejecting: ReadonlySet<CNode>,
): IdleGuard[] {
  const declared = declaredNames(source, functionNode);
  const seen = new Set<string>();
  const idle: IdleGuard[] = [];
  for (const node of descendants(functionNode.body)) {
    if (node.type !== 'if_statement') continue;
    const [condition, then] = [child(node, 'condition'), child(node, 'consequence')];
    if (condition === undefined || then === undefined || condition.broken || !leaves(then)) continue;
    const words = source.text(condition).replace(/\s+/g, '');
    const repeated = seen.has(words) || rejecting.has(node);
    seen.add(words);
    if (needed.has(node)) continue;
    const names = descendants(condition)
      .filter(({ type }) => type === 'identifier')
      .map((name) => source.text(name));
    const foreign =
      !names.some((name) => declared.has(name)) ||
      names.some((name) => !declared.has(name) && !constants.has(name) && !library.has(name));
    if (foreign) idle.push({ span: source.span(node), why: 'foreign' });
    else if (repeated) idle.push({ span: source.span(node), why: 'repeated' });
  }
  return idle;
}

/** Whether a branch always leaves the function, or jumps to where that is done. */
function leaves(branch: CNode): boolean {
  if (branch.type === 'return_statement' || branch.type === 'goto_statement') return true;
  const inner =
    branch.type === 'else_clause' || branch.type === 'compound_statement' ? branch.children.at(-1) : undefined;
  return inner !== undefined && leaves(inner);
}

function declaredNames(source: CSource, { body, parameters }: FunctionNode): Set<string> {
  const names = new Set(parameters);
  for (const node of descendants(body)) {
    if (node.type !== 'declaration') continue;
    for (const part of node.children) {
      let at: CNode | undefined = part.field === 'declarator' ? part : undefined;
      while (at !== undefined && at.type !== 'identifier') at = child(at, 'declarator') ?? at.children[0];
      if (at !== undefined) names.add(source.text(at));
    }
  }
  return names;
}
