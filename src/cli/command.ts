import { SrcodeError } from '../errors.js';
import { Progress } from '../run/progress.js';
import { printable, printableJson } from '../terminal.js';

export interface CommandContext {
  /** Aborted by the first Ctrl-C (or SIGTERM); the second one ends the process at once. */
  signal: AbortSignal;
  /** For people, on stderr. */
  progress: Progress;
}

export const exitCodes: { done: 0; failed: 1; usage: 2; interrupted: 130 } = {
  done: 0,
  failed: 1,
  usage: 2,
  interrupted: 130,
};

/**
 * Runs a command's work and turns its outcome into output and an exit code. The work's result is data for stdout: printed as JSON with
 * `--json`, by `print` otherwise. `verdict` may still call a printed result a failure.
 */
export async function runCommand<T>(
  { json = false }: { json?: boolean | undefined },
  work: (context: CommandContext) => Promise<T>,
  print: (result: T) => string | undefined = () => undefined,
  verdict: (result: T) => SrcodeError | undefined = () => undefined,
): Promise<void> {
  const progress = new Progress();
  const abort = new AbortController();
  const interrupt = (): void => {
    if (abort.signal.aborted) process.exit(exitCodes.interrupted);
    progress.note('Stopping after this step, with a checkpoint. Once more stops at once.');
    abort.abort(new DOMException('Interrupted', 'AbortError'));
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    const result = await work({ signal: abort.signal, progress });
    progress.done();
    const text = json ? printableJson(result) : print(result);
    if (text !== undefined) process.stdout.write(json ? `${text}\n` : printable(`${text}\n`));
    const failure = verdict(result);
    // With --json the result itself says what failed: stdout stays one value.
    if (failure !== undefined) process.exitCode = json ? exitCodes.failed : report(failure, false, progress);
  } catch (error) {
    progress.done();
    process.exitCode = report(error, json, progress);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Of a flag that is given twice the last one counts; yargs would make a list of it. */
export function lastGiven<T>(value: T | T[]): T {
  return Array.isArray(value) ? (value.at(-1) as T) : value;
}

/** Says what went wrong, once: as JSON on stdout for programs, as one message on stderr for people. Returns the exit code. */
export function report(error: unknown, json: boolean, progress: Progress = new Progress()): number {
  const { name, code, message, stack } = describe(error);
  const interrupted = name === 'AbortError' || code === 'ABORT_ERR';
  if (json) process.stdout.write(`${printableJson({ error: { code, message } })}\n`);
  else if (interrupted) progress.note(message);
  else progress.note(`${message}${known(error) ? '' : ' (an unexpected error; SRCODE_DEBUG=1 shows where)'}`, 'error');
  if (process.env.SRCODE_DEBUG) process.stderr.write(printable(`${stack}\n`));
  if (interrupted) return exitCodes.interrupted;
  return code === 'ERR_CONFIG' || code === 'ERR_USAGE' ? exitCodes.usage : exitCodes.failed;
}

// Errors of the addon carry our codes without being of our class.
function known(error: unknown): boolean {
  return error instanceof SrcodeError || String((error as { code?: unknown })?.code).startsWith('ERR_');
}

function describe(error: unknown): { name: string; code: string; message: string; stack: string } {
  if (!(error instanceof Error)) return { name: '', code: 'ERR_UNKNOWN', message: String(error), stack: '' };
  const code = (error as { code?: unknown }).code;
  const causes: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) causes.push(at.stack ?? at.message);
  return {
    name: error.name,
    code: typeof code === 'string' ? code : error.name === 'AbortError' ? 'ABORT_ERR' : 'ERR_UNKNOWN',
    message: error.message,
    stack: causes.join('\ncaused by: '),
  };
}
