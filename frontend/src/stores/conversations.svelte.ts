import type { Api } from '../api/client';
import { faultOf, isAbort } from '../api/errors';
import type { Conversation, Fault } from '../api/types';

const PAGE = 30;

/** The list of conversations, newest first, one page at a time; with a query, what the search found. */
export class Conversations {
  items = $state.raw<Conversation[]>([]);
  query = $state('');
  loading = $state(false);
  loaded = $state(false);
  fault = $state.raw<Fault | null>(null);
  #cursor = $state<string | null>(null);
  #request: AbortController | null = null;

  constructor(readonly api: Api) {}

  get more(): boolean {
    return this.#cursor !== null;
  }

  title(id: string | null): string | undefined {
    return this.items.find((c) => c.id === id)?.title;
  }

  async search(query: string): Promise<void> {
    this.query = query;
    this.#cursor = null;
    await this.#load(true);
  }

  async loadMore(): Promise<void> {
    if (!this.loading && (this.more || !this.loaded)) await this.#load(!this.loaded);
  }

  /** Brings one conversation up to date: a new one, a new title, a new message. */
  async refresh(id: string): Promise<void> {
    if (this.query) return;
    try {
      const fresh = await this.api.conversation(id);
      this.items = [fresh, ...this.items.filter((c) => c.id !== id)].sort((a, b) => (a.updated_at < b.updated_at ? 1 : -1));
    } catch {
      // It shows up when the list is loaded the next time.
    }
  }

  async rename(id: string, title: string): Promise<void> {
    const fresh = await this.api.rename(id, title);
    this.items = this.items.map((c) => (c.id === id ? fresh : c));
  }

  async remove(id: string): Promise<void> {
    await this.api.deleteConversation(id);
    this.drop(id);
  }

  drop(id: string): void {
    this.items = this.items.filter((c) => c.id !== id);
  }

  async #load(fromStart: boolean): Promise<void> {
    this.#request?.abort();
    const request = (this.#request = new AbortController());
    this.loading = true;
    this.fault = null;
    try {
      const cursor = fromStart ? null : this.#cursor;
      const page = await this.api.conversations({ cursor, q: this.query, limit: PAGE }, request.signal);
      const known = new Set(fromStart ? [] : this.items.map((c) => c.id));
      this.items = [...(fromStart ? [] : this.items), ...page.items.filter((c) => !known.has(c.id))];
      this.#cursor = page.next_cursor;
      this.loaded = true;
    } catch (error) {
      if (!isAbort(error)) this.fault = faultOf(error);
    } finally {
      if (this.#request === request) this.loading = false;
    }
  }
}
