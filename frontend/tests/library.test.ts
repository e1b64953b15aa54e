import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Coverage } from '../src/api/document-types';
import type { Page, StoredFile } from '../src/api/types';
import { accessWords, whoOf } from '../src/library/access-words';
import { coverageWords, isPartial } from '../src/library/coverage-words';
import { isNarrow, NO_WISH, queryOf } from '../src/library/file-wish';
import { indexPart, indexWords } from '../src/library/index-state';
import { Shelf } from '../src/library/shelf.svelte';
import { problemOf, rowsOf, tagsOfRows, tagWords } from '../src/library/tag-rows';
import { Files } from '../src/stores/files.svelte';
import { Api } from '../src/api/client';

const file = (id: string, change: Partial<StoredFile> = {}) => ({ id, name: `${id}.pdf`, status: 'ready', ...change }) as StoredFile;
const coverage = (change: Partial<Coverage>): Coverage => ({ read: 0, empty: 0, ocr: 0, needs_ocr: 0, failed: 0, reasons: [], ...change });

it.each([
  [{ read: 120 }, '120 pages read', false],
  [{ read: 118, needs_ocr: 2 }, '118 of 120 pages read, 2 need OCR', true],
  [{ read: 1, ocr: 2, needs_ocr: 1, empty: 1, failed: 1 }, '3 of 6 pages read, 2 of them by OCR, 1 needs OCR, 1 empty, 1 could not be read', true],
  [{ read: 0, empty: 1 }, '0 of 1 page read, 1 empty', false],
] as [Partial<Coverage>, string, boolean][])('says what became of the pages: %o', (change, words, partial) => {
  expect([coverageWords(coverage(change)), isPartial(coverage(change))]).toEqual([words, partial]);
});

describe('tags', () => {
  const tagged = { tags: { grade: ['5', '6'], year: 2024 }, page_tags: [{ pages: '12-40', tags: { chapter: 'fractions' } }] };

  it('become rows and are put together again', () => {
    const rows = rowsOf(tagged);
    expect(rows).toEqual([
      { pages: '', key: 'grade', value: '5' },
      { pages: '', key: 'grade', value: '6' },
      { pages: '', key: 'year', value: '2024' },
      { pages: '12-40', key: 'chapter', value: 'fractions' },
    ]);
    const more = [...rows, { pages: ' 12 – 40', key: ' chapter', value: 'ratios ' }, { pages: '', key: '', value: ' ' }, rows[0]!];
    expect(tagsOfRows(more)).toEqual({
      tags: { grade: ['5', '6'], year: '2024' },
      page_tags: [{ pages: '12-40', tags: { chapter: ['fractions', 'ratios'] } }],
    });
    expect(tagWords(tagged)).toEqual(['grade: 5', 'grade: 6', 'year: 2024', 'chapter: fractions (pages 12-40)']);
  });

  it.each([
    ['', '', '', ''],
    ['', 'grade', '', 'Give “grade” a value.'],
    ['3', '', '5', 'Give the tag a name, such as grade.'],
    ['1,4-6', 'a', 'b', ''],
    ['40-12', 'a', 'b', '40-12 ends before it begins. Write 12-40.'],
    ['0', 'a', 'b', 'Pages are counted from 1.'],
    ['3-', 'a', 'b', '“3-” is no page. Write 3, 12-40 or 1,4-6.'],
    ['9-51', 'a', 'b', 'The file has 50 pages.'],
  ])('are checked while they are written: %s %s=%s', (pages, key, value, problem) => {
    expect(problemOf({ pages, key, value }, 50)).toBe(problem);
  });

  it('filter the list', () => {
    const wish = { ...NO_WISH, name: ' a ', tag: 'grade:5' };
    expect([queryOf(wish), isNarrow(wish), isNarrow({ ...NO_WISH, name: ' ' })]).toEqual([{ q: 'a', tag: 'grade:5', status: '' }, true, false]);
    expect(queryOf({ ...NO_WISH, status: 'reindex' })).toEqual({ q: '', tag: '', needs_reindex: true });
  });
});

describe('a list of ten thousand files', () => {
  const all = Array.from({ length: 120 }, (_, index) => file(`f${index}`));
  const asked: (string | null)[] = [];
  const pages = (items: StoredFile[]) => (cursor: string | null): Promise<Page<StoredFile>> => {
    asked.push(cursor);
    const from = Number(cursor ?? 0);
    return Promise.resolve({ items: items.slice(from, from + 50), next_cursor: from + 50 < items.length ? String(from + 50) : null });
  };

  it('is turned over page by page, there and back', async () => {
    const shelf = new Shelf(pages(all));
    await shelf.open(0);
    await shelf.open(1);
    await shelf.open(2);
    expect([shelf.items.length, shelf.before, shelf.more]).toEqual([20, 100, false]);
    await shelf.open(1);
    expect([shelf.items[0]!.id, shelf.before, shelf.more]).toEqual(['f50', 50, true]);
    await shelf.restart();
    expect([shelf.items[0]!.id, shelf.before]).toEqual(['f0', 0]);
  });

  afterEach(() => vi.useRealTimers());

  it('changes in place what is on the page, and asks once for all that comes', async () => {
    vi.useFakeTimers();
    const shelf = new Shelf(pages(all));
    await shelf.open(0);
    shelf.take({ file: file('f3', { status: 'failed' }) });
    expect(shelf.items[3]!.status).toBe('failed');
    asked.length = 0;
    for (let n = 0; n < 1000; n++) shelf.take({ file: file(`new${n}`) });
    shelf.take({ gone: 'f4' });
    expect([asked.length, shelf.items.some(({ id }) => id === 'f4')]).toEqual([0, false]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toEqual([null]);
  });

  it('steps back when the last file of its page is gone, and takes the newest answer alone', async () => {
    const items = all.slice(0, 51);
    const shelf = new Shelf((cursor) => pages(items)(cursor));
    await shelf.open(0);
    await shelf.open(1);
    items.pop();
    await shelf.refresh();
    expect([shelf.number, shelf.items.length]).toEqual([0, 50]);
  });
});

describe('files that are sent', () => {
  const files = (answer: Partial<StoredFile>, heard: string[]) => {
    const api = new Api();
    api.upload = () => Promise.resolve(file('a', answer));
    return new Files(api, (text) => heard.push(text), (text) => heard.push(`! ${text}`));
  };

  it('say when they were here already', async () => {
    const heard: string[] = [];
    await files({ duplicate: true, name: 'first.pdf' }, heard).send([new File(['x'], 'again.pdf')], null);
    expect(heard).toEqual(['! “again.pdf” is here already, as “first.pdf”. It was not added twice.']);
  });

  it('go where they were dropped, tell the lists, and say their end once', async () => {
    const heard: string[] = [];
    const store = files({ status: 'stored' }, heard);
    const told: string[] = [];
    store.watchers.add((change) => told.push('file' in change ? change.file.status : 'gone'));
    await store.send([new File(['x'], 'a.pdf')], null, (sent) => Promise.resolve(told.push(`into ${sent.id}`)));
    for (const status of ['parsing', 'ready', 'ready'] as const) store.apply(file('a', { status }));
    expect(told).toEqual(['into a', 'stored', 'parsing', 'ready', 'ready']);
    expect(heard).toEqual(['a.pdf was sent and is being indexed', 'a.pdf is ready']);
    expect(store.items).toEqual([]);
  });
});

it('says whose a collection is and who may use it', () => {
  const owner = { id: '1', username: 'bob' };
  expect((['owner', 'write', 'read'] as const).map((access) => accessWords({ access, owner }))).toEqual([
    'Yours',
    'Shared by bob, you may add files',
    'Shared by bob, to read',
  ]);
  expect(whoOf({ username: null })).toBe('Everybody');
});

it('tells an administrator of an index that is built beside the old one', () => {
  const index = { state: 'building', files_done: 3, files_total: 12, chunks_done: 0, chunks_total: 0, error: null } as const;
  expect([indexWords(index), indexPart(index)]).toEqual(['A new index is being built beside the old one, 3 of 12 files. Search goes on meanwhile.', 0.25]);
  expect(indexWords({ ...index, state: 'failed', error: 'the disk is full.' })).toBe('The new index could not be built: the disk is full. The old one is searched.');
  expect([indexWords({ ...index, state: 'current' }), indexWords({ ...index, state: 'empty' })]).toEqual(['', '']);
});
