import { Parser, type Tree, type TreeCursor } from 'web-tree-sitter';

/** The steps of a {@link TreeCursor} that the copy of a tree takes. */
export type Cursor = Pick<
  TreeCursor,
  | 'nodeTypeId'
  | 'startIndex'
  | 'endIndex'
  | 'currentFieldId'
  | 'nodeIsMissing'
  | 'gotoFirstChild'
  | 'gotoNextSibling'
  | 'gotoParent'
  | 'delete'
>;

/**
 * The functions of the parser's WebAssembly module behind those steps, as web-tree-sitter 0.27.1 has them. Each takes the address of a
 * tree. They read the cursor from the module's transfer buffer and leave it there.
 */
interface Steps {
  /** Its memory. */
  readonly HEAP8: Int8Array;
  _ts_tree_root_node_wasm(tree: number): void;
  _ts_tree_cursor_new_wasm(tree: number): void;
  _ts_tree_cursor_delete_wasm(tree: number): void;
  _ts_tree_cursor_current_node_type_id_wasm(tree: number): number;
  _ts_tree_cursor_start_index_wasm(tree: number): number;
  _ts_tree_cursor_end_index_wasm(tree: number): number;
  _ts_tree_cursor_current_field_id_wasm(tree: number): number;
  _ts_tree_cursor_current_node_is_missing_wasm(tree: number): number;
  _ts_tree_cursor_goto_first_child_wasm(tree: number): number;
  _ts_tree_cursor_goto_next_sibling_wasm(tree: number): number;
  _ts_tree_cursor_goto_parent_wasm(tree: number): number;
}

const names: readonly Exclude<keyof Steps, 'HEAP8'>[] = [
  '_ts_tree_root_node_wasm',
  '_ts_tree_cursor_new_wasm',
  '_ts_tree_cursor_delete_wasm',
  '_ts_tree_cursor_current_node_type_id_wasm',
  '_ts_tree_cursor_start_index_wasm',
  '_ts_tree_cursor_end_index_wasm',
  '_ts_tree_cursor_current_field_id_wasm',
  '_ts_tree_cursor_current_node_is_missing_wasm',
  '_ts_tree_cursor_goto_first_child_wasm',
  '_ts_tree_cursor_goto_next_sibling_wasm',
  '_ts_tree_cursor_goto_parent_wasm',
];

// Emscripten makes the object that it is given the module. It stays empty where the module had been started before.
const module: Partial<Steps> = {};
let started: Promise<(tree: Tree) => Cursor> | undefined;

/** Starts the parser's module, once a process. @returns What gives the cursor at the root of a tree. */
export function startParser(): Promise<(tree: Tree) => Cursor> {
  started ??= start();
  return started;
}

async function start(): Promise<(tree: Tree) => Cursor> {
  await Parser.init(module);
  return hasSteps(module) ? (tree) => new DirectCursor(module, tree) : (tree) => tree.walk();
}

/** Bytes of memory of the parser's module, which never become fewer; 0 where they are not known. */
export function parserMemory(): number {
  return module.HEAP8?.length ?? 0;
}

function hasSteps(module: Partial<Steps>): module is Steps {
  return names.every((name) => typeof module[name] === 'function');
}

/**
 * A cursor that stays in the module. The library's copies itself in and out at every step, which costs three times what the steps do. No other
 * may be used between its making and its end, nor the parser.
 */
class DirectCursor implements Cursor {
  readonly #steps: Steps;
  readonly #tree: number;

  constructor(steps: Steps, tree: Tree) {
    this.#steps = steps;
    this.#tree = (tree as unknown as { 0: number })[0];
    steps._ts_tree_root_node_wasm(this.#tree);
    steps._ts_tree_cursor_new_wasm(this.#tree);
  }

  get nodeTypeId(): number {
    return this.#steps._ts_tree_cursor_current_node_type_id_wasm(this.#tree);
  }

  get startIndex(): number {
    return this.#steps._ts_tree_cursor_start_index_wasm(this.#tree);
  }

  get endIndex(): number {
    return this.#steps._ts_tree_cursor_end_index_wasm(this.#tree);
  }

  get currentFieldId(): number {
    return this.#steps._ts_tree_cursor_current_field_id_wasm(this.#tree);
  }

  get nodeIsMissing(): boolean {
    return this.#steps._ts_tree_cursor_current_node_is_missing_wasm(this.#tree) === 1;
  }

  gotoFirstChild(): boolean {
    return this.#steps._ts_tree_cursor_goto_first_child_wasm(this.#tree) === 1;
  }

  gotoNextSibling(): boolean {
    return this.#steps._ts_tree_cursor_goto_next_sibling_wasm(this.#tree) === 1;
  }

  gotoParent(): boolean {
    return this.#steps._ts_tree_cursor_goto_parent_wasm(this.#tree) === 1;
  }

  delete(): void {
    this.#steps._ts_tree_cursor_delete_wasm(this.#tree);
  }
}
