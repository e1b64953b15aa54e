import { ApiError, errorFrom, errorOf, isAbort, unreachable } from './errors';
import { forgetToken, keepAccess, keepToken, newestToken, oneTabAtATime, rotateToken, storedAccess, storedToken } from './tokens';
import type { PageText, TextRange } from './document-types';
import type { ModelList, ModelOffer, Pull } from './model-types';
import type { ChatBody, Conversation, Message, Page, StoredFile, Tokens, User } from './types';
import { upload, type Upload } from './upload';

const BASE = '/api/v1';

/** A name with slashes, such as `hub/owner/model`, as part of a path: the slashes stay. */
const pathPart = (name: string) => name.split('/').map(encodeURIComponent).join('/');

interface Options {
  body?: unknown;
  query?: Record<string, string | number | null | undefined>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** The one door to the API: adds the bearer token, renews it once on 401, turns every failure into an ApiError. */
export class Api {
  onsignedout: () => void = () => undefined;
  #access: string | null = storedAccess();
  #renewing: Promise<void> | null = null;

  // ---- accounts

  async login(username: string, password: string, remember: boolean): Promise<void> {
    const tokens = await this.#plain<Tokens>('/auth/login', { username, password });
    keepToken(tokens.refresh_token, remember);
    this.#accept(tokens);
  }

  async register(username: string, password: string, email?: string): Promise<void> {
    await this.#plain('/auth/register', { username, password, ...(email ? { email } : {}) });
  }

  /** Ends the session on the server too; signed out here even when the server cannot be reached. */
  async logout(): Promise<void> {
    const refresh_token = storedToken();
    try {
      if (refresh_token) await this.send('POST', '/auth/logout', { body: { refresh_token } });
    } finally {
      this.forget();
    }
  }

  me = () => this.json<User>('GET', '/auth/me');

  // ---- conversations

  conversations = (query: { cursor?: string | null; q?: string; limit?: number }, signal?: AbortSignal) =>
    this.json<Page<Conversation>>('GET', '/conversations', { query, signal });
  conversation = (id: string) => this.json<Conversation>('GET', `/conversations/${id}`);
  newConversation = () => this.json<Conversation>('POST', '/conversations', { body: {} });
  rename = (id: string, title: string) => this.json<Conversation>('PATCH', `/conversations/${id}`, { body: { title } });
  /** Makes the branch through a message the one that is shown and continued. */
  showBranch = (id: string, messageId: string) =>
    this.send('PATCH', `/conversations/${id}`, { body: { active_message_id: messageId } });
  deleteConversation = (id: string) => this.send('DELETE', `/conversations/${id}`);

  messages = (id: string, signal?: AbortSignal) => this.#all<Message>(`/conversations/${id}/messages`, signal);

  async export(id: string, format: 'markdown' | 'json'): Promise<Blob> {
    return (await this.send('GET', `/conversations/${id}/export`, { query: { format } })).blob();
  }

  // ---- chat

  chat = (body: ChatBody, key: string, signal: AbortSignal) =>
    this.send('POST', '/chat/stream', { body, signal, headers: { 'Idempotency-Key': key } });

  resume = (runId: string, after: string, signal: AbortSignal) =>
    this.send('GET', `/chat/runs/${runId}/events`, { signal, headers: after ? { 'Last-Event-ID': after } : {} });

  stop = (runId: string) => this.send('POST', `/chat/runs/${runId}/stop`);

  // ---- files

  files = (query: { cursor?: string | null; conversation_id?: string }) =>
    this.json<Page<StoredFile>>('GET', '/files', { query });
  file = (id: string) => this.json<StoredFile>('GET', `/files/status/${id}`);
  retryFile = (id: string) => this.json<StoredFile>('POST', `/files/${id}/retry`);
  cancelFile = (id: string) => this.json<StoredFile>('POST', `/files/${id}/cancel`);
  deleteFile = (id: string) => this.send('DELETE', `/files/${id}`);

  /** One page's text, with what is to be highlighted of a range of the file's text. */
  page = (id: string, number: number, range: TextRange | null) =>
    this.json<PageText>('GET', `/files/${id}/pages/${number}`, { query: { char_from: range?.char_from, char_to: range?.char_to } });
  saveGolden = (question: string, file_id: string, page: number) =>
    this.send('POST', '/golden', { body: { question, file_id, page } });

  /** Sends one file; fetch has no progress of what is sent, hence XMLHttpRequest behind it. */
  async upload(file: File, conversationId: string | null, progress: (part: number) => void, signal: AbortSignal) {
    const job: Upload = { url: `${BASE}/files/upload`, file, conversationId, progress, signal };
    const token = await this.#token();
    let answer = await upload(job, token);
    if (answer.status === 401) answer = await upload(job, await this.#token(token));
    if (answer.status >= 400) throw errorFrom(answer.status, answer.body);
    return answer.body as StoredFile;
  }

  // ---- the rest

  models = () => this.json<ModelList>('GET', '/models/list');
  offer = async () => (await this.json<{ offer: ModelOffer | null }>('GET', '/models/offer')).offer;
  pulls = async () => (await this.json<Page<Pull>>('GET', '/models/pulls')).items;
  pull = (name: string, model_source: string) => this.json<Pull>('POST', '/models/pull', { body: { name, model_source } });
  cancelPull = ({ name, model_source }: Pull) =>
    this.send('DELETE', `/models/pulls/${pathPart(name)}`, { query: { model_source } });

  events = (after: string, signal: AbortSignal) =>
    this.send('GET', '/events', { signal, headers: after ? { 'Last-Event-ID': after } : {} });

  // ---- plumbing

  async json<T>(method: string, path: string, options: Options = {}): Promise<T> {
    return (await this.send(method, path, options)).json() as Promise<T>;
  }

  /** Raises ApiError unless the answer is 2xx. */
  async send(method: string, path: string, options: Options = {}): Promise<Response> {
    const token = await this.#token();
    let response = await this.#fetch(method, path, options);
    if (response.status === 401) {
      await this.#token(token);
      response = await this.#fetch(method, path, options);
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** The access token; a new one if there is none or if it is the `refused` one. */
  async #token(refused?: string): Promise<string> {
    if (!this.#access || this.#access === refused) await this.renew();
    return this.#access ?? '';
  }

  /** A new access token for the stored refresh token; however many ask at once, it is asked for once. */
  renew(): Promise<void> {
    this.#renewing ??= oneTabAtATime(() => this.#renew()).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    const refresh_token = await newestToken();
    if (!refresh_token) {
      this.forget();
      throw new ApiError(401, 'not_authenticated', 'You are signed out.');
    }
    try {
      const tokens = await this.#plain<Tokens>('/auth/refresh', { refresh_token });
      await rotateToken(refresh_token, tokens.refresh_token);
      this.#accept(tokens);
    } catch (error) {
      if (error instanceof ApiError && [400, 401, 403, 422].includes(error.status)) this.forget();
      throw error;
    }
  }

  #accept(tokens: Tokens): void {
    this.#access = tokens.access_token;
    keepAccess(tokens.access_token, tokens.expires_in);
  }

  /** Signs out here alone. */
  forget(): void {
    this.#access = null;
    forgetToken();
    this.onsignedout();
  }

  async #plain<T>(path: string, body: unknown): Promise<T> {
    const response = await this.#fetch('POST', path, { body });
    if (!response.ok) throw await errorOf(response);
    return response.json() as Promise<T>;
  }

  async #fetch(method: string, path: string, { body, query, headers, signal }: Options): Promise<Response> {
    const url = new URL(BASE + path, location.origin);
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value != null && value !== '') url.searchParams.set(name, String(value));
    }
    const all: Record<string, string> = { ...headers };
    if (this.#access) all.Authorization = `Bearer ${this.#access}`;
    if (body !== undefined) all['Content-Type'] = 'application/json';
    try {
      return await fetch(url, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal });
    } catch (error) {
      throw isAbort(error) ? error : unreachable();
    }
  }

  async #all<T>(path: string, signal?: AbortSignal): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | null = null;
    do {
      const page: Page<T> = await this.json<Page<T>>('GET', path, { query: { cursor, limit: 100 }, signal });
      items.push(...page.items);
      cursor = page.next_cursor;
    } while (cursor);
    return items;
  }
}
