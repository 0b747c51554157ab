/** A node of a syntax tree, as plain data. Comments and punctuation are left out. */
export interface SyntaxNode {
  /** The grammar's name of the node. */
  readonly type: string;
  /** UTF-16 units of the decoded code; {@link Source.span} gives bytes. */
  readonly start: number;
  readonly end: number;
  /** Its role in its parent, such as `condition`. */
  readonly field: string | null;
  readonly children: readonly SyntaxNode[];
  readonly parent: SyntaxNode | null;
  /** The operator of an expression, such as `<=`. */
  readonly operator: string;
  /** Something in it does not parse. */
  readonly broken: boolean;
  /** What it says, kept from when that was first asked for. */
  text: string | undefined;
}

/** Levels of a tree: more than any code that people write has, and no danger to the stack of those who walk it. */
export const deepest = 400;

/** How many nodes a node is in. */
export function levelOf({ parent }: SyntaxNode): number {
  let level = 0;
  for (let at = parent; at !== null; at = at.parent) level++;
  return level;
}

/** The first child in a role. */
export function child({ children }: SyntaxNode, field: string): SyntaxNode | undefined {
  for (let i = 0; i < children.length; i++) {
    const candidate = children[i] as SyntaxNode;
    if (candidate.field === field) return candidate;
  }
  return undefined;
}

/** Itself and all below it, in the order of the text. */
export function descendants(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  gather(node, found);
  return found;
}

function gather(node: SyntaxNode, into: SyntaxNode[]): void {
  into.push(node);
  const { children } = node;
  for (let i = 0; i < children.length; i++) gather(children[i] as SyntaxNode, into);
}
