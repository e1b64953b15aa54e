import { expect, it } from 'vitest';
import type { StoredFile } from '../src/api/types';
import { progressOf } from '../src/stores/file-words';
import { placeOf } from '../src/stores/route.svelte';
import { count, dayGroup, pages, reflow, sentence, size } from '../src/text';

const file = (change: Partial<StoredFile>): StoredFile => ({
  id: 'f',
  name: 'a.pdf',
  media_type: 'application/pdf',
  size_bytes: 1_234_567,
  status: 'stored',
  pages_total: null,
  pages_done: 0,
  chunks_total: null,
  chunks_done: 0,
  error: null,
  conversation_id: null,
  created_at: '2026-01-01T00:00:00Z',
  ...change,
});

it.each([
  [{ status: 'stored' }, 'Waiting to be read', null],
  [{ status: 'parsing', pages_total: 100, pages_done: 25 }, 'Reading page 25 of 100', 0.25],
  [{ status: 'embedding', chunks_total: 10, chunks_done: 5 }, 'Indexing passage 5 of 10', 0.5],
  [{ status: 'ready', pages_total: 1, chunks_total: 12 }, '1.2 MB · 1 page · 12 passages', 1],
  [{ status: 'ready', needs_reindex: true }, '1.2 MB · found by its words alone: another model read it', 1],
  [{ status: 'failed', error: { code: 'x', message: 'it is locked' } }, 'It is locked.', null],
] as [Partial<StoredFile>, string, number | null][])('says how far a file is: %o', (change, words, part) => {
  expect(progressOf(file(change))).toEqual({ words, part });
});

it('words numbers', () => {
  expect([size(0), size(999), size(1500), size(52_428_800)]).toEqual(['0 B', '999 B', '1.5 kB', '52 MB']);
  expect([pages(3, 3), pages(3, 5), count(1, 'file'), count(1200, 'file')]).toEqual(['page 3', 'pages 3–5', '1 file', '1,200 files']);
  expect([sentence('no such file'), sentence('Done.')]).toEqual(['No such file.', 'Done.']);
  expect([sentence('http://gpu:1/v1 is down'), sentence('sha256 is wrong')]).toEqual(['http://gpu:1/v1 is down.', 'sha256 is wrong.']);
});

it('groups days', () => {
  const now = new Date(2026, 5, 15, 12);
  const ago = (days: number) => dayGroup(new Date(2026, 5, 15 - days, 11).toISOString(), now);
  expect([0, 1, 3, 20, 90].map(ago)).toEqual(['Today', 'Yesterday', 'Last 7 days', 'Last 30 days', 'Older']);
});

it('reads places', () => {
  const id = '6f1f9a0c-0000-4000-8000-000000000000';
  expect(placeOf(`#/c/${id}`)).toEqual({ view: 'chat', conversationId: id });
  expect(placeOf('#/files')).toEqual({ view: 'files' });
  expect(placeOf('#/c/../../x')).toEqual({ view: 'chat', conversationId: null });
});

it('joins the lines that a page has cut, and no others', () => {
  const cut = 'The first line of a paragraph goes\non here until it ends.\n- an item\n\nHeading\nAnother paragraph, which is long,\ntoo.';
  expect(reflow(cut)).toBe(
    'The first line of a paragraph goes on here until it ends.\n- an item\n\nHeading\nAnother paragraph, which is long, too.',
  );
  expect(reflow('one')).toBe('one');
});
