import type { Finding } from '../../teacher/teacher.js';
import type { Analysis } from '../analyser.js';
import { SourceLines } from './source-lines.js';

/** One finding for each weakness on a line, in the order of the text. */
export function distinct(findings: readonly Finding[], code: Uint8Array): Finding[] {
  const lines = new SourceLines(code);
  const first = new Map<string, Finding>();
  for (const finding of findings.toSorted((a, b) => a.span.start - b.span.start || a.span.end - b.span.end)) {
    const key = `${finding.cwe} ${lines.lineOf(finding.span.start)}`;
    if (!first.has(key)) first.set(key, finding);
  }
  return [...first.values()];
}

/** At most `count` groups of one size, the last one aside. */
export function inGroups<T>(items: readonly T[], count: number): T[][] {
  const size = Math.max(1, Math.ceil(items.length / count));
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/**
 * Analyses a group in one go; where that comes to no end, half of it at a time, so that only the sources that the tool cannot bear go without
 * an analysis.
 */
export async function halving<T>(
  group: readonly T[],
  attempt: (group: readonly T[]) => Promise<Analysis[] | undefined>,
): Promise<Analysis[]> {
  const analyses = await attempt(group);
  if (analyses !== undefined) return analyses;
  if (group.length === 1) return [{ findings: [], failure: 'it met its limits' }];
  const halves: Analysis[] = [];
  for (const half of inGroups(group, 2)) halves.push(...(await halving(half, attempt)));
  return halves;
}
