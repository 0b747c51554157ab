import { statSync } from 'node:fs';
import { SrcodeError } from './errors.js';
import { checkInput, io, readInput } from './files.js';

/** Bytes of a model folder's JSON, and levels of lists and objects in it: far more than any has, and no danger to those who read it. */
const mostBytes = 2 ** 28;
const deepest = 64;

/**
 * The text of a JSON file of a model folder.
 * @throws ERR_IO for what is no file or cannot be read; ERR_FILE_FORMAT for one that is too large or too deep.
 */
export function readJsonText(file: string): string {
  checkInput(file);
  const { size } = io('read', file, () => statSync(file));
  if (size > mostBytes)
    throw new SrcodeError('ERR_FILE_FORMAT', `${file} has ${size} bytes; expected at most ${mostBytes}`);
  const text = readInput(file).toString('utf8');
  if (depthOf(text) > deepest)
    throw new SrcodeError('ERR_FILE_FORMAT', `${file} has more than ${deepest} levels of lists and objects`);
  return text;
}

function depthOf(text: string): number {
  let [depth, most, inString] = [0, 0, false];
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (char === 0x22) inString = !inString;
    else if (inString) i += Number(char === 0x5c);
    else if (char === 0x5b || char === 0x7b) most = Math.max(most, ++depth);
    else if (char === 0x5d || char === 0x7d) depth--;
  }
  return most;
}
