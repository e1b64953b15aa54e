import type { Api } from '../api/client';

/** The search index as administrators see it: `building` beside the one that is searched. */
export interface IndexState {
  state: 'empty' | 'current' | 'outdated' | 'building' | 'failed';
  files_total: number;
  files_done: number;
  chunks_total: number;
  chunks_done: number;
  error: string | null;
}

export const indexOf = (api: Api) => api.json<IndexState>('GET', '/index');
export const rebuild = (api: Api) => api.json<IndexState>('POST', '/index/rebuild');

/** What there is to be told of it; '': nothing. */
export function indexWords({ state, files_done, files_total, error }: IndexState): string {
  if (state === 'building') {
    const far = files_total ? `, ${files_done.toLocaleString('en')} of ${files_total.toLocaleString('en')} files` : '';
    return `A new index is being built beside the old one${far}. Search goes on meanwhile.`;
  }
  if (state === 'failed') return `The new index could not be built: ${(error ?? 'nobody knows why').replace(/[.\s]+$/, '')}. The old one is searched.`;
  return state === 'outdated' ? 'The settings ask for another index than the one that is searched.' : '';
}

/** From 0 to 1; null: nobody can say. */
export const indexPart = ({ chunks_done, chunks_total, files_done, files_total }: IndexState): number | null =>
  chunks_total ? Math.min(1, chunks_done / chunks_total) : files_total ? Math.min(1, files_done / files_total) : null;
