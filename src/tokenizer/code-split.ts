/**
 * Splits text so that a name is the same tokens wherever it stands and punctuation takes the blanks: words, single digits, punctuation
 * with a blank before it and the blank or line break with its indent behind it, and other white space.
 */
export const CODE_SPLIT: string = String.raw`[A-Za-z_]+|[0-9]| ?[^\sA-Za-z0-9_]+(?: (?=\S)|\n[ \t]*)?|\s+`;
