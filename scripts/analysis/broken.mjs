// How much code does not parse as it came, and how much of it still does not behind the repair.
import { CParser, descendants } from '../../dist/analysis/c/syntax.js';
import { Grammar } from '../../dist/analysis/syntax/grammar.js';
import { rows, share } from './collections.mjs';

/** sven's functions in C; none of this says anything of what is found in them. */
export async function broken(file) {
  const grammar = await Grammar.load('tree-sitter-c');
  const parser = await CParser.load();
  const codes = rows(file)
    .filter(({ file_name: name }) => /\.[ch]$/.test(name))
    .flatMap((row) => [row.func_src_before, row.func_src_after]);
  const length = codes.reduce((sum, { length }) => sum + length, 0);
  for (const [name, parse] of [
    ['as it came', (text) => grammar.parse(text)],
    ['repaired', (text) => parser.parse(Buffer.from(text)).root],
  ]) {
    const trees = codes.map(parse);
    const inErrors = trees
      .flatMap((tree) => [...descendants(tree)])
      .filter(({ type, parent }) => type === 'ERROR' && parent?.type !== 'ERROR')
      .reduce((sum, { start, end }) => sum + end - start, 0);
    console.log(
      `${name}: functions broken ${share(trees.filter((tree) => tree.broken).length, codes.length)}; text in errors ${((100 * inErrors) / length).toFixed(3)} %`,
    );
  }
}
