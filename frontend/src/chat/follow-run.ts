import { ApiError, isAbort, unreachable } from '../api/errors';
import { serverEvents } from '../api/sse';
import type { StreamEvent } from '../api/types';

export interface RunDoor {
  /** Starts the run, or finds it again: the request carries an idempotency key. Absent when the run is known. */
  start?: (signal: AbortSignal) => Promise<Response>;
  resume: (runId: string, after: string, signal: AbortSignal) => Promise<Response>;
}

export interface RunWatch {
  apply: (event: StreamEvent) => void;
  connection?: (state: 'lost' | 'ok') => void;
  signal: AbortSignal;
  runId?: string;
  pause?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const START_ATTEMPTS = 4;
const SILENCE_MS = 45_000; // the server sends a comment every 15 s

/**
 * Follows a run to its terminal event through any number of lost connections: nothing is lost or doubled, since
 * events are numbered. Raises ApiError when the run cannot be started or no longer exists, AbortError on abort.
 */
export async function followRun(door: RunDoor, watch: RunWatch): Promise<void> {
  const pause = watch.pause ?? pauseUntilOnline;
  let runId = watch.runId;
  let last = 0;
  let failures = 0;

  const receive = (id: string, event: StreamEvent): boolean => {
    const number = Number(id);
    if (number && number <= last) return false;
    last = number || last;
    failures = 0;
    if (event.event === 'run') runId = event.data.run_id;
    watch.apply(event);
    return event.event === 'done' || event.event === 'error';
  };

  for (;;) {
    try {
      const open = (signal: AbortSignal) =>
        runId || !door.start ? door.resume(runId ?? '', last ? String(last) : '', signal) : door.start(signal);
      if (await readOnce(open, watch, receive)) return;
    } catch (error) {
      watch.signal.throwIfAborted();
      if (!mayPass(error, Boolean(runId), failures)) throw error;
    }
    watch.connection?.('lost');
    await pause(backoff(failures++), watch.signal);
  }
}

/** True when the terminal event came. */
async function readOnce(
  open: (signal: AbortSignal) => Promise<Response>,
  watch: RunWatch,
  receive: (id: string, event: StreamEvent) => boolean,
): Promise<boolean> {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  watch.signal.addEventListener('abort', abort, { once: true });
  let seen = Date.now();
  const guard = setInterval(() => Date.now() - seen > SILENCE_MS && abort(), 5000);
  try {
    const response = await open(attempt.signal);
    if (!response.body) return false;
    watch.connection?.('ok');
    for await (const { id, event, data } of serverEvents(response.body, () => (seen = Date.now()))) {
      if (receive(id, { event, data: JSON.parse(data) } as StreamEvent)) return true;
    }
    return false;
  } finally {
    clearInterval(guard);
    watch.signal.removeEventListener('abort', abort);
    attempt.abort();
  }
}

function mayPass(error: unknown, known: boolean, failures: number): boolean {
  if (error instanceof ApiError) {
    return known ? error.retryable || error.status >= 500 : error.status === 0 && failures + 1 < START_ATTEMPTS;
  }
  if (error instanceof SyntaxError) throw unreachable(); // not JSON: something between us and the server answered
  return isAbort(error) || error instanceof TypeError; // silence, or a body that broke off
}

export const backoff = (failures: number) => Math.min(10_000, 400 * 2 ** failures) * (0.75 + Math.random() / 2);

/** Waits, but not longer than until the browser says that it is online again. */
export function pauseUntilOnline(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener('online', end);
      signal.removeEventListener('abort', end);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener('online', end);
    signal.addEventListener('abort', end);
  });
}
