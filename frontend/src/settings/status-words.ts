import { count } from '../text';
import type { Breaker, SourceStatus } from './api';

export type Health = 'good' | 'bad' | 'off' | 'doubt';

export function healthOf(status: SourceStatus): { health: Health; words: string } {
  if (!status.configured) return { health: 'off', words: 'Not set up' };
  if (!status.reachable) return { health: 'bad', words: 'Does not answer' };
  if (status.breaker === 'open') return { health: 'bad', words: 'Resting after failures' };
  if (status.breaker === 'half_open') return { health: 'doubt', words: 'Being tried again' };
  return { health: 'good', words: 'Answers' };
}

export const breakerWords = (breaker: Breaker, cooling_s = 0): string => {
  if (breaker === 'open') return cooling_s > 0 ? `resting after failures, asked again in ${Math.ceil(cooling_s)} s` : 'resting after failures';
  return breaker === 'half_open' ? 'being tried again' : 'in use';
};

export const queueWords = ({ running, waiting, max_concurrent: most }: SourceStatus): string =>
  !running && !waiting ? `idle${most ? `, up to ${most} at once` : ''}` : `${running}${most ? ` of ${most}` : ''} answering${waiting ? `, ${count(waiting, 'question')} waiting` : ''}`;

/** The default first, then what is set up, then the rest; each in the server's order. */
export function inOrder(all: Record<string, SourceStatus>): [string, SourceStatus][] {
  const rank = (status: SourceStatus) => (status.is_default ? 0 : status.configured ? 1 : 2);
  return Object.entries(all).sort(([, a], [, b]) => rank(a) - rank(b));
}
