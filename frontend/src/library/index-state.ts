import type { Api } from '../api/client';

/** An index that is being built beside the one that is searched. */
export interface Building {
  state: string;
  files_done: number;
  files_total: number;
  chunks_done: number;
  chunks_total: number;
  /** Why it does not go on. */
  error: string | null;
}

type Loose = Record<string, unknown>;
const asNumber = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
const asWords = (value: unknown): string | null =>
  typeof value === 'string' ? value || null : ((value as { message?: string } | null | undefined)?.message ?? null);

/** What is being built, or null. */
export function buildingOf(body: unknown): Building | null {
  const found = (body ?? {}) as Loose;
  const one = (found.building ?? found.rebuild ?? null) as Loose | null;
  if (!one || typeof one !== 'object') return null;
  return {
    state: String(one.state ?? 'building'),
    files_done: asNumber(one.files_done),
    files_total: asNumber(one.files_total),
    chunks_done: asNumber(one.chunks_done),
    chunks_total: asNumber(one.chunks_total),
    error: asWords(one.error),
  };
}

export const indexOf = async (api: Api) => buildingOf(await api.json<unknown>('GET', '/index'));

export function indexWords({ files_done, files_total, error }: Building): string {
  if (error) return `The new index does not get on: ${error}`;
  const far = files_total ? `, ${files_done.toLocaleString('en')} of ${files_total.toLocaleString('en')} files` : '';
  return `A new index is being built beside the old one${far}. Search goes on meanwhile.`;
}

/** From 0 to 1; null: nobody can say. */
export const indexPart = ({ chunks_done, chunks_total, files_done, files_total }: Building): number | null =>
  chunks_total ? Math.min(1, chunks_done / chunks_total) : files_total ? Math.min(1, files_done / files_total) : null;
