import { SrcodeError } from '../errors.js';

/**
 * Packs documents into windows of `contextLength` tokens for pretraining. A window is a list of sequences, one a document or a piece of
 * one, so documents do not see each other. A document is cut where its window is full, and the next piece begins with the last token
 * again: so every token but a document's first is predicted exactly once. Only the last window may be shorter; the others hold
 * `contextLength` tokens, or one less where a single token had no room to be predicted.
 */
export function packWindows(documents: Iterable<Int32Array>, contextLength: number): Int32Array[][] {
  if (!Number.isInteger(contextLength) || contextLength < 2)
    throw new SrcodeError('ERR_CONFIG', `Expected a context of at least 2 tokens, received ${contextLength}`);
  const windows: Int32Array[][] = [];
  let window: Int32Array[] = [];
  let room = contextLength;
  for (const document of documents)
    for (let at = 0; document.length - at >= 2; ) {
      if (room < 2) {
        windows.push(window);
        window = [];
        room = contextLength;
      }
      const piece = document.subarray(at, at + room);
      window.push(piece);
      room -= piece.length;
      at += piece.length - 1;
    }
  if (window.length > 0) windows.push(window);
  return windows;
}
