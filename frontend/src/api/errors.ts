import type { Fault } from './types';

/** An answer that is not 2xx (status > 0), or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId: string = '',
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
  }

  get retryable(): boolean {
    return this.status === 0 || [408, 425, 429, 502, 503, 504].includes(this.status);
  }
}

export const unreachable = () =>
  new ApiError(0, 'unreachable', 'The server cannot be reached. Check your connection and that the service is running.');

export async function errorOf(response: Response): Promise<ApiError> {
  const requestId = response.headers.get('x-request-id') ?? '';
  try {
    return errorFrom(response.status, await response.json(), requestId);
  } catch {
    return new ApiError(response.status, 'unknown', `The server answered ${response.status}.`, requestId);
  }
}

export function errorFrom(status: number, body: unknown, requestId = ''): ApiError {
  const error = (body as { error?: Record<string, unknown> } | null)?.error;
  if (typeof error?.message !== 'string') {
    return new ApiError(status, 'unknown', `The server answered ${status}.`, requestId);
  }
  const details = (error.details ?? {}) as Record<string, unknown>;
  return new ApiError(status, String(error.code), error.message, String(error.request_id ?? requestId), details);
}

export const isAbort = (error: unknown) => error instanceof DOMException && error.name === 'AbortError';

export function faultOf(error: unknown): Fault {
  if (error instanceof ApiError) {
    return { code: error.code, message: error.message, retryable: error.retryable, request_id: error.requestId };
  }
  return { code: 'unknown', message: error instanceof Error ? error.message : String(error) };
}

const NO_ROUTE = /^there is nothing at |Method Not Allowed/;

/** The same, or that this server has no such thing: `what` it is, in the plural. */
export const explained = (fault: Fault, what: string): Fault =>
  NO_ROUTE.test(fault.message)
    ? { code: 'missing', message: `${what} are not there on this server. Ask its administrator for an update.` }
    : fault;

/** What a person can do about an error, by its stable code. */
const WAY_OUT: Record<string, string> = {
  unreachable: 'Your question is kept here. Try again when you are back online.',
  rate_limited: 'Wait a moment, then try again.',
  quota_exceeded: 'Your quota is used up. Ask your administrator, or wait until it renews.',
  upstream_refused: "The model's server refused the request. Check the model's name and key, or choose another model.",
  upstream_unavailable: "The model's server is down or overloaded. Try again, or choose another model.",
  upstream_timeout: 'The model took too long. Try again, or choose another model.',
  context_overflow: 'The question and its passages are too long for this model. Shorten the question or start a new chat.',
  model_unavailable: 'Choose another model, or try again later.',
  forbidden: 'Only administrators may do this. Ask one of them.',
  too_large: 'Send less text or a smaller file.',
  storage_full: 'The server has no space left. Delete files you no longer need, or tell your administrator.',
  missing: '',
  not_authenticated: 'Sign in again.',
  not_found: 'It may have been deleted. Reload the page to see what is there.',
  internal: 'Try again. If it happens again, give the administrator the request id.',
};

export const wayOut = (fault: Fault): string => WAY_OUT[fault.code] ?? 'Try again.';
