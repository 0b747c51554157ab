import type { Cwe, Severity } from '../teacher/teacher.js';

// By what an attacker gains. What is not named is medium.
const high = [
  22, 78, 89, 94, 119, 120, 121, 122, 123, 124, 131, 134, 195, 242, 415, 416, 502, 590, 680, 761, 762, 786, 787, 788,
  798, 822, 825,
];
const low = [200, 209, 252, 253, 401, 404, 467, 570, 571, 617, 685, 686, 758, 772, 775, 910, 1341];

/** How severe a weakness is: of the embedded engine's rules, and where a tool does not say. */
export function severityOf(cwe: Cwe): Severity {
  const number = Number(cwe.slice(4));
  return high.includes(number) ? 'high' : low.includes(number) ? 'low' : 'medium';
}
