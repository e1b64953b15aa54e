export const SETTINGS = ['models', 'keys', 'usage', 'golden'] as const;
export type SettingsPage = (typeof SETTINGS)[number];

/**
 * Where the reader is: `#/` a new chat, `#/c/<id>` a conversation, `#/files` the library, `#/collections` and
 * `#/collections/<id>`, `#/settings/<page>` settings.
 */
export type Place =
  | { view: 'chat'; conversationId: string | null }
  | { view: 'files' }
  | { view: 'collections'; id: string | null }
  | { view: 'settings'; page: SettingsPage };

export function placeOf(hash: string): Place {
  if (hash === '#/files') return { view: 'files' };
  const collections = /^#\/collections(?:\/([0-9a-f-]{36}))?$/i.exec(hash);
  if (collections) return { view: 'collections', id: collections[1] ?? null };
  const settings = /^#\/settings(?:\/(\w+))?$/.exec(hash);
  if (settings) return { view: 'settings', page: SETTINGS.find((page) => page === settings[1]) ?? 'models' };
  return { view: 'chat', conversationId: /^#\/c\/([0-9a-f-]{36})$/i.exec(hash)?.[1] ?? null };
}

export class Route {
  place = $state.raw<Place>(placeOf(location.hash));

  constructor() {
    window.addEventListener('hashchange', () => (this.place = placeOf(location.hash)));
  }

  go(hash: string): void {
    location.hash = hash;
  }

  /** Names the conversation that has just begun, without a step in the history. */
  settle(conversationId: string): void {
    history.replaceState(null, '', `#/c/${conversationId}`);
    this.place = placeOf(location.hash);
  }
}
