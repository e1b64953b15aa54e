import { faultOf } from '../api/errors';
import type { Fault, Page, StoredFile } from '../api/types';
import type { FileChange } from '../stores/files.svelte';

const SOON_MS = 600;

/**
 * A list of files, one page at a time: however many there are, one page is loaded and drawn. What is on it changes in place;
 * what comes or goes has the page asked for again, at most every so often.
 */
export class Shelf {
  items = $state.raw<StoredFile[]>([]);
  fault = $state.raw<Fault | null>(null);
  loading = $state(false);
  loaded = $state(false);
  /** Which page is shown, from 0. */
  number = $state(0);
  more = $state(false);
  /** Files on the pages before this one. */
  before = $derived.by(() => this.#sizes.slice(0, this.number).reduce((sum, size) => sum + size, 0));
  #sizes = $state.raw<number[]>([]);
  #cursors: (string | null)[] = [null];
  #asked = 0;
  #timer = 0;

  constructor(readonly fetch: (cursor: string | null) => Promise<Page<StoredFile>>) {}

  /** From the first page, for another filter. */
  restart(): Promise<void> {
    this.#cursors = [null];
    return this.open(0);
  }

  async open(number: number): Promise<void> {
    const mine = ++this.#asked;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.loading = true;
    try {
      const page = await this.fetch(this.#cursors[number] ?? null);
      if (mine !== this.#asked) return;
      this.items = page.items;
      this.number = number;
      this.more = page.next_cursor !== null;
      this.#cursors = [...this.#cursors.slice(0, number + 1), page.next_cursor];
      this.#sizes = [...this.#sizes.slice(0, number), page.items.length];
      this.fault = null;
      this.loaded = true;
      if (!page.items.length && number > 0) await this.open(number - 1); // its last file is gone
    } catch (error) {
      if (mine === this.#asked) this.fault = faultOf(error);
    } finally {
      if (mine === this.#asked) this.loading = false;
    }
  }

  refresh = (): Promise<void> => this.open(this.number);

  take(change: FileChange): void {
    if ('gone' in change) {
      if (!this.items.some((file) => file.id === change.gone)) return;
      this.items = this.items.filter((file) => file.id !== change.gone);
      this.#soon();
    } else if (this.items.some((file) => file.id === change.file.id)) {
      this.items = this.items.map((file) => (file.id === change.file.id ? merged(file, change.file) : file));
    } else if (this.number === 0) this.#soon();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asked++;
  }

  #soon(): void {
    this.#timer ||= window.setTimeout(() => void this.refresh(), SOON_MS);
  }
}

/** Events of the progress say nothing of what only an answer knows. */
const merged = (old: StoredFile, fresh: StoredFile): StoredFile => ({
  ...fresh,
  needs_reindex: fresh.needs_reindex ?? old.needs_reindex,
  tags: fresh.tags ?? old.tags,
  page_tags: fresh.page_tags ?? old.page_tags,
});
