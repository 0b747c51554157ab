import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';

/** The descriptors that a sandboxed program is started with, 0 to 2 aside. */
export const descriptors: { channel: 3; filter: 4; firstFile: 5 } = { channel: 3, filter: 4, firstFile: 5 };

/**
 * The descriptors of this process that programs which it starts would inherit: those that whoever started it left open (`50<secret`), and
 * what a library opened without O_CLOEXEC. Node closes its own.
 */
export function inheritedDescriptors(): number[] {
  return readdirSync('/proc/self/fdinfo')
    .map(Number)
    .filter((descriptor) => descriptor > 2 && inherits(descriptor));
}

function inherits(descriptor: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${descriptor}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    // Closed since: that of the listing itself, or another thread's.
    return false;
  }
}

const closeOnExec = 0o2000000;

/** /dev/null, which stands in the places of descriptors that nobody inside may have: starting a program can replace one, not close it. */
export class Nothing {
  readonly descriptor: number = openSync('/dev/null', 'r');

  [Symbol.dispose](): void {
    closeSync(this.descriptor);
  }
}
