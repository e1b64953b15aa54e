import type { ChatBody } from '../api/types';

export interface Named {
  id: string;
  name: string;
}

/** Where the answers of a conversation are looked up. `auto`: in the chat's own files if it has some, else the whole library. */
export interface Scope {
  use: boolean;
  where: 'auto' | 'files' | 'collections';
  files: Named[];
  collections: Named[];
  tags: Readonly<Record<string, string[]>>;
  /** Answer from documents, or say that they do not have it. */
  strict: boolean;
}

export const EVERYWHERE: Scope = { use: true, where: 'auto', files: [], collections: [], tags: {}, strict: false };

/** The same, as a question names it. Nothing chosen yet is as good as no choice. */
export function scopeBody(scope: Scope): Pick<ChatBody, 'use_rag' | 'file_ids' | 'collection_ids' | 'tags' | 'strict'> {
  if (!scope.use) return { use_rag: false };
  const ids = (list: Named[]) => list.map(({ id }) => id);
  return {
    ...(scope.where === 'files' && scope.files.length ? { file_ids: ids(scope.files) } : {}),
    ...(scope.where === 'collections' && scope.collections.length ? { collection_ids: ids(scope.collections) } : {}),
    ...(Object.keys(scope.tags).length ? { tags: { ...scope.tags } } : {}),
    ...(scope.strict ? { strict: true } : {}),
  };
}

/** With or without one of a list. */
export const toggled = (list: readonly Named[], one: Named): Named[] =>
  list.some(({ id }) => id === one.id) ? list.filter(({ id }) => id !== one.id) : [...list, { id: one.id, name: one.name }];

export function toggledTag(tags: Scope['tags'], key: string, value: string): Scope['tags'] {
  const { [key]: had = [], ...others } = tags;
  const values = had.includes(value) ? had.filter((one) => one !== value) : [...had, value];
  return values.length ? { ...others, [key]: values } : others;
}

export interface ScopeChip {
  key: string;
  kind: 'file' | 'folder' | 'tag' | 'check';
  label: string;
  without: Partial<Scope>;
}

/** What narrows the search, one by one, each with what the scope is without it. */
export function chipsOf(scope: Scope): ScopeChip[] {
  if (!scope.use) return [];
  const chips: ScopeChip[] = [];
  const rest = (left: Named[]) => (left.length ? {} : { where: 'auto' as const });
  if (scope.where === 'files') {
    for (const file of scope.files) {
      const files = toggled(scope.files, file);
      chips.push({ key: `file ${file.id}`, kind: 'file', label: file.name, without: { files, ...rest(files) } });
    }
  }
  if (scope.where === 'collections') {
    for (const one of scope.collections) {
      const collections = toggled(scope.collections, one);
      chips.push({ key: `collection ${one.id}`, kind: 'folder', label: one.name, without: { collections, ...rest(collections) } });
    }
  }
  for (const [key, values] of Object.entries(scope.tags)) {
    for (const value of values) {
      chips.push({ key: `tag ${key} ${value}`, kind: 'tag', label: `${key}: ${value}`, without: { tags: toggledTag(scope.tags, key, value) } });
    }
  }
  if (scope.strict) chips.push({ key: 'strict', kind: 'check', label: 'Only from documents', without: { strict: false } });
  return chips;
}
