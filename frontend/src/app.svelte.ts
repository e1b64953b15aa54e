import { getContext, setContext } from 'svelte';
import { Api } from './api/client';
import { faultOf } from './api/errors';
import type { ModelRef, Pull } from './api/model-types';
import type { StoredFile } from './api/types';
import { type Scope, scopeBody } from './chat/scope';
import { ChatSession } from './chat/session.svelte';
import { Account } from './stores/account.svelte';
import { Conversations } from './stores/conversations.svelte';
import { moveDraft } from './stores/drafts';
import { Feed } from './stores/feed';
import { type FileChange, Files } from './stores/files.svelte';
import { Models } from './stores/models.svelte';
import { Pulls } from './stores/pulls.svelte';
import { Route } from './stores/route.svelte';
import { Scopes } from './stores/scopes.svelte';
import { sentence } from './text';

const NEWS_MS = 10_000;

export interface Question {
  title: string;
  text: string;
  action: string;
  act: () => Promise<void> | void;
}

/** A list of files that is shown. */
export interface FileShelf {
  take(change: FileChange): void;
  refresh(): Promise<void>;
  close(): void;
}

/** Everything that lives as long as the page. */
export class App {
  api = new Api();
  account = new Account(this.api);
  route = new Route();
  conversations = new Conversations(this.api);
  models = new Models(this.api);
  pulls = new Pulls(this.api, { say: (text) => this.say(text), ready: () => void this.models.load() });
  files = new Files(
    this.api,
    (text) => this.say(text),
    (text) => this.#tell(text),
  );
  scopes = new Scopes();
  chat = new ChatSession(this.api, {
    say: (text) => this.say(text),
    opened: (id, isNew) => this.#opened(id, isNew),
    options: () => ({
      ...(this.model ? { model_source: this.model.source, model: this.model.model ?? undefined } : {}),
      ...scopeBody(this.scope),
    }),
  });
  feed = new Feed(this.api, { event: (name, data) => this.#event(name, data), back: () => this.#back(), poll: () => this.#poll() });

  /** What the next question is asked of; null: the server's default. */
  get model(): ModelRef | null {
    const last = this.chat.path.findLast((turn) => turn.role === 'assistant' && turn.source);
    return this.models.chosen(this.chat.conversationId, last?.asked ?? null);
  }

  /** Where the open chat looks things up. */
  get scope(): Scope {
    return this.scopes.of(this.chat.conversationId);
  }

  narrow(change: Partial<Scope>): void {
    this.scopes.set(this.chat.conversationId, change);
  }

  get isAdmin(): boolean {
    return this.account.user?.role === 'admin';
  }

  /** The conversation that the new chat on this page has just become. */
  adopted: string | null = null;
  /** Files that are about to be sent, once there is a conversation for them. */
  attaching = $state(0);
  #making: Promise<string> | null = null;

  /** The newest `job` event; what shows jobs asks anew. */
  job = $state.raw<unknown>(null);
  /** What files that are dropped are added to, beside the library. */
  dropInto = $state.raw<((file: StoredFile) => Promise<unknown>) | null>(null);
  #shelves = new Set<FileShelf>();

  /** What a screen reader is told. */
  said = $state('');
  /** What went wrong outside an answer. */
  notice = $state('');
  question = $state.raw<Question | null>(null);

  say(text: string): void {
    this.said = text;
  }

  /** News that needs no answer goes away by itself. */
  #tell(text: string): void {
    this.notice = text;
    setTimeout(() => this.notice === text && (this.notice = ''), NEWS_MS);
  }

  /** Runs an action of the page; a failure becomes a notice. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      this.notice = sentence(faultOf(error).message);
      return false;
    }
  }

  confirm(question: Question): void {
    this.question = question;
  }

  start(): void {
    this.feed.start();
    void this.conversations.search('');
    this.models.of(this.account.user?.id ?? '');
    void this.models.load();
    if (this.isAdmin) void this.pulls.load().catch(() => undefined);
  }

  stop(): void {
    this.feed.stop();
    this.chat.close();
    this.scopes.forget();
  }

  /** The conversation that files and questions go to; one is made when there is none. */
  conversation(): Promise<string> {
    if (this.chat.conversationId) return Promise.resolve(this.chat.conversationId);
    this.#making ??= this.#make().finally(() => (this.#making = null));
    return this.#making;
  }

  async #make(): Promise<string> {
    const { id } = await this.api.newConversation();
    this.#opened(id, true);
    return id;
  }

  /** A list of files is told what changes, and asks anew when no events come. */
  watchFiles(list: FileShelf): () => void {
    const watch = (change: FileChange) => list.take(change);
    this.files.watchers.add(watch);
    this.#shelves.add(list);
    return () => {
      this.files.watchers.delete(watch);
      this.#shelves.delete(list);
      list.close();
    };
  }

  async attach(files: Iterable<File>): Promise<void> {
    const list = [...files];
    if (!list.length) return;
    this.attaching += list.length;
    const id = await this.attempt(() => this.conversation());
    this.attaching -= list.length;
    if (id) await this.files.send(list, this.chat.conversationId);
  }

  #opened(id: string, isNew: boolean): void {
    void this.conversations.refresh(id);
    if (isNew) {
      this.adopted = id;
      moveDraft(null, id);
      this.models.settle(id);
      this.scopes.settle(id);
      this.chat.conversationId = id;
      this.route.settle(id);
    }
  }

  async #poll(): Promise<void> {
    await Promise.all([this.files.poll(), this.pulls.poll(), ...[...this.#shelves].map((list) => list.refresh())]);
  }

  #back(): void {
    void this.#poll();
    void this.chat.refresh();
    void this.conversations.search(this.conversations.query);
  }

  #event(name: string, data: unknown): void {
    if (name === 'file') {
      const file = data as StoredFile & { change?: string };
      if (file.change === 'deleted') this.files.drop(file.id);
      else this.files.apply(file);
    }
    if (name === 'job') this.job = data;
    if (name === 'model') this.pulls.apply(data as Pull);
    if (name === 'conversation') this.#conversationChanged(data as { id: string; change: string });
  }

  #conversationChanged({ id, change }: { id: string; change: string }): void {
    if (change === 'deleted') {
      this.conversations.drop(id);
      if (this.chat.conversationId === id) this.route.go('#/');
      return;
    }
    void this.conversations.refresh(id);
    if (this.chat.conversationId === id) void this.chat.refresh();
  }
}

const KEY = Symbol('app');
export const provideApp = (app: App): App => setContext(KEY, app);
export const useApp = (): App => getContext<App>(KEY);
