import type { StoredFile } from '../api/types';
import { count, sentence, size } from '../text';

/** What is happening to a file, in words, and how far it is (null: nobody can say). */
export function progressOf(file: StoredFile): { words: string; part: number | null } {
  const { pages_total: pages, chunks_total: chunks } = file;
  const ratio = (done: number, total: number | null) => (total ? Math.min(1, done / total) : null);
  switch (file.status) {
    case 'stored':
      return { words: 'Waiting to be read', part: null };
    case 'parsing':
      if (file.step === 'splitting') return { words: 'Cutting the text into passages', part: null };
      return pages
        ? { words: `Reading page ${Math.min(file.pages_done, pages)} of ${pages}`, part: ratio(file.pages_done, pages) }
        : { words: 'Reading', part: null };
    case 'embedding':
      return chunks
        ? { words: `Indexing passage ${Math.min(file.chunks_done, chunks)} of ${chunks}`, part: ratio(file.chunks_done, chunks) }
        : { words: 'Indexing', part: null };
    case 'indexing':
      return { words: 'Checking the index', part: 1 };
    case 'ready':
      return { words: readyWords(file), part: 1 };
    case 'failed':
      return { words: sentence(file.error?.message ?? 'Could not be read'), part: null };
    case 'cancelled':
      return { words: 'Cancelled', part: null };
  }
}

function readyWords(file: StoredFile): string {
  const parts = [size(file.size_bytes)];
  if (file.pages_total) parts.push(count(file.pages_total, 'page'));
  if (file.chunks_total) parts.push(count(file.chunks_total, 'passage'));
  if (file.needs_reindex) parts.push('found by its words alone: another model read it');
  return parts.join(' · ');
}
