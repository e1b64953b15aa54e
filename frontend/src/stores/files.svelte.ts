import type { Api } from '../api/client';
import { ApiError, faultOf, isAbort } from '../api/errors';
import { uuid } from '../api/ids';
import type { Fault, StoredFile } from '../api/types';

const FINAL = new Set(['ready', 'failed', 'cancelled']);
export const isPending = (file: StoredFile) => !FINAL.has(file.status);

/** What a list of files is told: a file's newest state, or that it is gone. */
export type FileChange = { file: StoredFile } | { gone: string };

/** A file on its way to the server. */
export class Sending {
  readonly key = uuid();
  part = $state(0);
  fault = $state.raw<Fault | null>(null);
  readonly control = new AbortController();

  constructor(
    readonly file: File,
    readonly conversationId: string | null,
    /** Called with what the server made of it. */
    readonly then?: (file: StoredFile) => Promise<unknown>,
  ) {}
}

/**
 * Files that are being sent, and those of the conversations that were opened. The library, which may have ten thousand,
 * is a list of pages of its own: it watches what changes here.
 */
export class Files {
  items = $state.raw<StoredFile[]>([]);
  sending = $state.raw<Sending[]>([]);
  /** What the server can read, as it said when it refused a file. */
  supported = $state.raw<string[]>([]);
  readonly watchers = new Set<(change: FileChange) => void>();
  pending = $derived(this.items.filter(isPending));
  #gone = new Set<string>();
  #awaited = new Set<string>();

  constructor(
    readonly api: Api,
    readonly say: (text: string) => void,
    /** Tells everybody, not only who listens. */
    readonly notice: (text: string) => void = say,
  ) {}

  of(conversationId: string | null): StoredFile[] {
    return this.items.filter((file) => file.conversation_id === conversationId);
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
    this.#announce(file);
    if (file.conversation_id) {
      const others = this.items.filter((f) => f.id !== file.id);
      this.items = [...others, file].sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
    }
    this.watchers.forEach((watch) => watch({ file }));
  }

  #announce(file: StoredFile): void {
    if (isPending(file)) this.#awaited.add(file.id);
    else if (this.#awaited.delete(file.id)) {
      if (file.status === 'ready') this.say(`${file.name} is ready`);
      if (file.status === 'failed') this.say(`${file.name} could not be read`);
    }
  }

  async send(files: Iterable<File>, conversationId: string | null, then?: Sending['then']): Promise<void> {
    const jobs = [...files].map((file) => new Sending(file, conversationId, then));
    this.sending = [...this.sending, ...jobs];
    for (const job of jobs) await this.#send(job); // one after the other: each gets the whole line
  }

  async resend(job: Sending): Promise<void> {
    this.dismiss(job);
    await this.send([job.file], job.conversationId, job.then);
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
    this.watchers.forEach((watch) => watch({ gone: id }));
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
      await job.then?.(file);
      this.sending = this.sending.filter((j) => j !== job);
      this.apply(file);
      if (file.duplicate) this.notice(`“${job.file.name}” is here already${file.name === job.file.name ? '' : `, as “${file.name}”`}. It was not added twice.`);
      else this.say(`${file.name} was sent and is being indexed`);
    } catch (error) {
      if (isAbort(error)) return;
      job.fault = faultOf(error);
      if (error instanceof ApiError && Array.isArray(error.details.supported)) this.supported = error.details.supported.map(String);
    }
  }
}
