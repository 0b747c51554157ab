/**
 * The one error class. `code` is stable (`ERR_SHAPE`, `ERR_FILE_FORMAT`, `ERR_CONFIG`, `ABORT_ERR`, …); the message says what was
 * expected, what was received, where, and what to do.
 */
export class SrcodeError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'SrcodeError';
    this.code = code;
  }
}
