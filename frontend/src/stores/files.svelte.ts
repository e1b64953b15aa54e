import type { Api } from '../api/client';
import { faultOf, isAbort } from '../api/errors';
import { uuid } from '../api/ids';
import type { Fault, StoredFile } from '../api/types';

const FINAL = new Set(['ready', 'failed', 'cancelled']);
export const isPending = (file: StoredFile) => !FINAL.has(file.status);

/** A file on its way to the server. */
export class Sending {
  readonly key = uuid();
  part = $state(0);
  fault = $state.raw<Fault | null>(null);
  readonly control = new AbortController();

  constructor(
    readonly file: File,
    readonly conversationId: string | null,
  ) {}
}

/** Files that are being sent, indexed, or there. `conversationId` null means the user's library. */
export class Files {
  items = $state.raw<StoredFile[]>([]);
  sending = $state.raw<Sending[]>([]);
  loading = $state(false);
  fault = $state.raw<Fault | null>(null);
  pending = $derived(this.items.filter(isPending));
  #cursor = $state<string | null>(null);
  #gone = new Set<string>();

  constructor(
    readonly api: Api,
    readonly say: (text: string) => void,
  ) {}

  get more(): boolean {
    return this.#cursor !== null;
  }

  of(conversationId: string | null): StoredFile[] {
    return this.items.filter((file) => file.conversation_id === conversationId);
  }

  /** The newest files of every kind, for the list of files. */
  async load(more = false): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    this.fault = null;
    try {
      const page = await this.api.files({ cursor: more ? this.#cursor : null });
      this.#cursor = page.next_cursor;
      page.items.forEach((file) => this.apply(file));
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.loading = false;
    }
  }

  /** The files of one conversation, for its composer. */
  async loadOf(conversationId: string): Promise<void> {
    try {
      const page = await this.api.files({ conversation_id: conversationId });
      page.items.forEach((file) => this.apply(file));
    } catch {
      // The chat works without the list; events bring what changes.
    }
  }

  /** Takes a file's newest state, from an answer or from an event. */
  apply(file: StoredFile): void {
    if (this.#gone.has(file.id)) return;
    const old = this.items.find((f) => f.id === file.id);
    if (old && isPending(old) && file.status === 'ready') this.say(`${file.name} is ready`);
    if (old && isPending(old) && file.status === 'failed') this.say(`${file.name} could not be read`);
    const others = this.items.filter((f) => f.id !== file.id);
    this.items = [...others, file].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  }

  async send(files: Iterable<File>, conversationId: string | null): Promise<void> {
    const jobs = [...files].map((file) => new Sending(file, conversationId));
    this.sending = [...this.sending, ...jobs];
    for (const job of jobs) await this.#send(job); // one after the other: each gets the whole line
  }

  async resend(job: Sending): Promise<void> {
    this.dismiss(job);
    await this.send([job.file], job.conversationId);
  }

  dismiss(job: Sending): void {
    job.control.abort();
    this.sending = this.sending.filter((j) => j !== job);
  }

  async retry(file: StoredFile): Promise<void> {
    this.apply(await this.api.retryFile(file.id));
  }

  async cancel(file: StoredFile): Promise<void> {
    this.apply(await this.api.cancelFile(file.id));
  }

  async remove(file: StoredFile): Promise<void> {
    await this.api.deleteFile(file.id);
    this.drop(file.id);
  }

  drop(id: string): void {
    this.#gone.add(id);
    this.items = this.items.filter((f) => f.id !== id);
  }

  /** Asks for each file that is not final: for when no events come. */
  async poll(): Promise<void> {
    for (const file of this.pending) {
      try {
        this.apply(await this.api.file(file.id));
      } catch (error) {
        if ((error as { status?: number }).status === 404) this.drop(file.id);
      }
    }
  }

  async #send(job: Sending): Promise<void> {
    if (job.control.signal.aborted) return;
    try {
      const file = await this.api.upload(job.file, job.conversationId, (part) => (job.part = part), job.control.signal);
      this.sending = this.sending.filter((j) => j !== job);
      this.apply(file);
      this.say(`${file.name} was sent and is being indexed`);
    } catch (error) {
      if (!isAbort(error)) job.fault = faultOf(error);
    }
  }
}
