import type { PageTags, Tags, TagValue } from '../api/document-types';
import type { StoredFile } from '../api/types';

/** One tag in the editor. No pages: it is of the whole file. */
export interface TagRow {
  pages: string;
  key: string;
  value: string;
}

const rowsOfTags = (tags: Tags, pages: string): TagRow[] =>
  Object.entries(tags).flatMap(([key, value]) => [value].flat().map((one: TagValue) => ({ pages, key, value: String(one) })));

export const rowsOf = (file: Pick<StoredFile, 'tags' | 'page_tags'>): TagRow[] => [
  ...rowsOfTags(file.tags ?? {}, ''),
  ...(file.page_tags ?? []).flatMap(({ pages, tags }) => rowsOfTags(tags, pages)),
];

export const isEmpty = ({ pages, key, value }: TagRow) => !pages.trim() && !key.trim() && !value.trim();

const RANGE = /^(\d{1,9})(?:\s*[-–]\s*(\d{1,9}))?$/;
const MAX_KEY = 64;
const MAX_VALUE = 200;

/** What is wrong with a row, for the person who writes it; nothing: ''. */
export function problemOf(row: TagRow, pagesTotal: number | null): string {
  if (isEmpty(row)) return '';
  if (!row.key.trim()) return 'Give the tag a name, such as grade.';
  if (!row.value.trim()) return `Give “${row.key.trim()}” a value.`;
  if (row.key.trim().length > MAX_KEY) return `A name has at most ${MAX_KEY} characters.`;
  if (row.value.trim().length > MAX_VALUE) return `A value has at most ${MAX_VALUE} characters.`;
  return row.pages.trim() ? pagesProblem(row.pages, pagesTotal) : '';
}

function pagesProblem(pages: string, total: number | null): string {
  for (const part of pages.split(',').map((one) => one.trim())) {
    const found = RANGE.exec(part);
    if (!found) return `“${part}” is no page. Write 3, 12-40 or 1,4-6.`;
    const from = Number(found[1]);
    const to = Number(found[2] ?? found[1]);
    if (from < 1) return 'Pages are counted from 1.';
    if (to < from) return `${part} ends before it begins. Write ${to}-${from}.`;
    if (total && to > total) return `The file has ${total} ${total === 1 ? 'page' : 'pages'}.`;
  }
  return '';
}

/** As the API takes them; equal ranges and keys are put together. */
export function tagsOfRows(rows: TagRow[]): { tags: Tags; page_tags: PageTags[] } {
  const places = new Map<string, Map<string, string[]>>();
  for (const row of rows.filter((one) => !isEmpty(one))) {
    const pages = row.pages.replace(/\s+/g, '').replaceAll('–', '-');
    const keys = places.get(pages) ?? new Map<string, string[]>();
    places.set(pages, keys);
    const values = keys.get(row.key.trim()) ?? [];
    keys.set(row.key.trim(), values.includes(row.value.trim()) ? values : [...values, row.value.trim()]);
  }
  const plain = (keys: Map<string, string[]> | undefined): Tags =>
    Object.fromEntries([...(keys ?? [])].map(([key, values]) => [key, values.length === 1 ? values[0]! : values]));
  return {
    tags: plain(places.get('')),
    page_tags: [...places].filter(([pages]) => pages).map(([pages, keys]) => ({ pages, tags: plain(keys) })),
  };
}

/** Short words for the list: `grade: 5`, and `grade: 6 (12-40)` where it is of some pages. */
export const tagWords = (file: Pick<StoredFile, 'tags' | 'page_tags'>): string[] =>
  rowsOf(file).map(({ pages, key, value }) => `${key}: ${value}${pages ? ` (${pages.includes(',') || pages.includes('-') ? 'pages' : 'page'} ${pages})` : ''}`);
