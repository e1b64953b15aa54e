import type { ApiKey, Scope } from './api';

const DATE = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const TIME = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'short' });

export const SCOPE_WORDS: Record<Scope, [name: string, what: string]> = {
  openai: ['OpenAI programs', 'everything under /v1'],
  chat: ['Chat', 'ask, and read your conversations'],
  files: ['Files', 'add, read and search your files'],
  models: ['Models', 'list models and their state'],
  stats: ['Usage', 'read what was used'],
};

export const LIFETIMES: readonly [days: number | null, words: string][] = [
  [30, '30 days'],
  [90, '90 days'],
  [365, '1 year'],
  [null, 'It does not expire'],
];

export const isExpired = (key: Pick<ApiKey, 'expires_at'>, now = Date.now()): boolean =>
  key.expires_at !== null && Date.parse(key.expires_at) <= now;

export const expiryWords = (key: Pick<ApiKey, 'expires_at'>, now = Date.now()): string => {
  if (key.expires_at === null) return 'does not expire';
  return `${isExpired(key, now) ? 'expired' : 'expires'} ${DATE.format(Date.parse(key.expires_at))}`;
};

/** When it was made, used last, and until when it works. */
export function keyWords(key: ApiKey, now = Date.now()): string {
  const used = key.last_used_at ? `last used ${TIME.format(Date.parse(key.last_used_at))}` : 'not used yet';
  return `Made ${DATE.format(Date.parse(key.created_at))}, ${used}, ${expiryWords(key, now)}`;
}
