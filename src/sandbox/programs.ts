import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { SrcodeError } from '../errors.js';

/** Where a program lies, by the caller's PATH. Undefined where it is not. */
export function locate(name: string): string | undefined {
  // A relative entry would be another place in each working directory.
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** @throws ERR_SANDBOX where it is not on PATH. */
export function located(name: string): string {
  const path = locate(name);
  if (path === undefined) throw new SrcodeError('ERR_SANDBOX', `${name} is not on PATH`);
  return path;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
