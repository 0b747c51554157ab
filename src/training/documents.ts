import { readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { io } from '../files.js';

/**
 * The files of pretraining: each path itself, or the source and text files under it when it is a folder, in order of name. Without paths,
 * the sources that this package ships.
 */
export async function textFiles(paths: readonly string[]): Promise<string[]> {
  if (paths.length === 0) return ownSources();
  return paths.flatMap((path) => (io('read', path, () => statSync(path)).isDirectory() ? filesIn(path) : [path]));
}

// native/, cmake/ and scripts/ are in the repository and in the published package alike; src/ and dist/ are not.
function ownSources(): string[] {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  return ['cmake', 'native', 'scripts'].flatMap((folder) => filesIn(join(root, folder)));
}

function filesIn(folder: string): string[] {
  const entries = io('read', folder, () => readdirSync(folder, { withFileTypes: true }));
  return entries
    .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return filesIn(path);
      return entry.isFile() && textual.has(extname(entry.name)) ? [path] : [];
    });
}

const textual: ReadonlySet<string> = new Set(
  '.c .h .cc .cpp .cxx .hpp .hh .inl .cu .cuh .py .js .mjs .cjs .ts .rs .go .java .sh .cmake .md .txt'.split(' '),
);
