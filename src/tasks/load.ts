import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SrcodeError } from '../errors.js';
import type { FamilyOptions } from './family/task.js';
import type { Task } from './task.js';

/**
 * A task by name, or a user's own by the path of the module whose default export it is. The options are the embedded one's.
 * @throws ERR_CONFIG when there is none.
 */
export async function loadTask(name: string, options: FamilyOptions = {}): Promise<Task> {
  if (name === 'family') {
    const { familyTask } = await import('./family/task.js');
    return familyTask(options);
  }
  if (name.startsWith('pairs:')) {
    const { pairsTask } = await import('./pairs/task.js');
    return pairsTask(name.slice('pairs:'.length));
  }
  if (!/\.[cm]?js$/.test(name)) {
    throw new SrcodeError(
      'ERR_CONFIG',
      `task: expected "family", pairs:FILE or the path of a module (.js, .mjs) whose default export is a Task, received ${JSON.stringify(name)}`,
    );
  }
  let task: Partial<Task> | undefined;
  try {
    task = ((await import(pathToFileURL(resolve(name)).href)) as { default?: Partial<Task> }).default;
  } catch (cause) {
    throw new SrcodeError('ERR_CONFIG', `task: cannot import ${name}: ${(cause as Error).message}`, { cause });
  }
  const missing = (['name', 'version', 'language', 'prompt', 'promptOf', 'program', 'teacher'] as const).filter(
    (key) => task?.[key] === undefined,
  );
  if (missing.length > 0) {
    throw new SrcodeError(
      'ERR_CONFIG',
      `task: the default export of ${name} is no Task, it lacks ${missing.join(', ')}`,
    );
  }
  return task as Task;
}
