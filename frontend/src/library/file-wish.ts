import type { FileQuery } from '../api/documents';
import type { FileStatus } from '../api/types';

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
