import type { FileQuery } from '../api/documents';
import type { FileStatus, StoredFile } from '../api/types';
import { rowsOf } from './tag-rows';

/** Which files the library shows. */
export interface FileWish {
  name: string;
  status: FileStatus | 'reindex' | '';
  /** `key:value`. */
  tag: string;
}

export const NO_WISH: FileWish = { name: '', status: '', tag: '' };

export const STATES: [FileWish['status'], string][] = [
  ['', 'All'],
  ['ready', 'Ready'],
  ['failed', 'Failed'],
  ['cancelled', 'Cancelled'],
  ['stored', 'Waiting'],
  ['parsing', 'Being read'],
  ['embedding', 'Being indexed'],
  ['indexing', 'Being checked'],
  ['reindex', 'To be indexed again'],
];

export const isNarrow = ({ name, status, tag }: FileWish): boolean => Boolean(name.trim() || status || tag);

export function queryOf({ name, status, tag }: FileWish): FileQuery {
  return { q: name.trim(), tag, ...(status === 'reindex' ? { needs_reindex: true } : { status }) };
}

/** A server that does not filter by tags answers with all files: what was asked for is still what is shown. */
export const hasTag = (file: StoredFile, tag: string): boolean => !tag || rowsOf(file).some(({ key, value }) => `${key}:${value}` === tag);
