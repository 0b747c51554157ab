/** What became of a request: an answer of any status, or none, and why. */
export type Outcome =
  | { status: number; body: string; retryAfter: number | undefined }
  | { status: null; reason: string };

/**
 * Sends one POST of JSON. Redirects are refused: they could carry the key elsewhere.
 * @throws the signal's reason when it aborts. Everything else is an outcome.
 */
export async function post(
  url: string,
  body: string,
  { headers, timeout, signal }: { headers: Record<string, string>; timeout: number; signal: AbortSignal | undefined },
): Promise<Outcome> {
  const late = AbortSignal.timeout(1000 * timeout);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'error',
      signal: signal === undefined ? late : AbortSignal.any([signal, late]),
    });
    const retryAfter = secondsOf(response.headers.get('retry-after'));
    return { status: response.status, body: await response.text(), retryAfter };
  } catch (error) {
    signal?.throwIfAborted();
    if (late.aborted) return { status: null, reason: `no whole answer within ${timeout} s` };
    // fetch says what happened to the connection in the cause.
    const { message, cause } = error as Error & { cause?: Error };
    return { status: null, reason: cause?.message ? `${message}: ${cause.message}` : message };
  }
}

/** Retry-After (RFC 9110, 10.2.3): seconds, or a date. */
export function secondsOf(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d+(\.\d+)?\s*$/.test(header)) return Number(header);
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, (date - now) / 1000);
}
