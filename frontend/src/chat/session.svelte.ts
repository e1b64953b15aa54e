import type { Api } from '../api/client';
import { ApiError, faultOf, isAbort } from '../api/errors';
import { uuid } from '../api/ids';
import type { ChatBody, Fault, StreamEvent } from '../api/types';
import { applyEvent } from './events';
import { followRun } from './follow-run';
import { type Choice, choiceFor, pathOf, renamed, siblingsOf } from './tree';
import { Turn } from './turn.svelte';

/** What a question is asked with, beside its words. */
export type AskOptions = Omit<ChatBody, 'message' | 'conversation_id' | 'parent_id' | 'regenerate' | 'continue'>;

export interface ChatHooks {
  say: (text: string) => void;
  /** The server named the conversation: it is new, or it has a new message. */
  opened: (conversationId: string, isNew: boolean) => void;
  options: () => AskOptions;
}

/** How a run is reached: started by a request that may be sent again, or known by its id. */
interface Following {
  start?: (signal: AbortSignal) => Promise<Response>;
  runId?: string;
  question?: Turn;
  anew?: () => void;
}

/** One conversation on the page: its tree of turns, the path that is shown, and the runs that are followed. */
export class ChatSession {
  conversationId = $state<string | null>(null);
  turns = $state.raw<Turn[]>([]);
  choice = $state.raw<Choice>({});
  loading = $state(false);
  fault = $state.raw<Fault | null>(null);
  path = $derived(pathOf(this.turns, this.choice));
  running = $derived(this.path.find((turn) => turn.isRunning) ?? null);
  #follows = new Map<Turn, AbortController>();
  #retries = new Map<Turn, () => void>();
  #opening: AbortController | null = null;

  constructor(
    readonly api: Api,
    readonly hooks: ChatHooks,
  ) {}

  get leaf(): Turn | null {
    return this.path.at(-1) ?? null;
  }

  siblings(turn: Turn): Turn[] {
    return siblingsOf(this.turns, turn);
  }

  /** Shows a conversation, or an empty page for a new one. Runs that still write are followed. */
  async open(id: string | null): Promise<void> {
    this.#leave();
    this.conversationId = id;
    this.turns = [];
    this.choice = {};
    this.fault = null;
    if (id) await this.reload();
  }

  async reload(): Promise<void> {
    const id = this.conversationId;
    if (!id) return;
    this.#opening?.abort();
    const opening = (this.#opening = new AbortController());
    this.loading = this.turns.length === 0;
    this.fault = null;
    try {
      const [conversation, messages] = await Promise.all([
        this.api.conversation(id),
        this.api.messages(id, opening.signal),
      ]);
      if (opening.signal.aborted) return;
      this.#stopFollowing();
      this.turns = messages.filter((m) => m.role !== 'system').map((m) => Turn.of(m));
      this.choice = choiceFor(this.turns, conversation.active_message_id);
      for (const turn of this.turns) if (turn.isRunning) this.#resume(turn);
    } catch (error) {
      if (!isAbort(error) && !opening.signal.aborted) this.fault = faultOf(error);
    } finally {
      if (this.#opening === opening) this.loading = false;
    }
  }

  /** Another tab or a finished upload changed this conversation; what is being written here stays. */
  async refresh(): Promise<void> {
    if (this.turns.some((turn) => turn.isRunning || turn.isLocal) || this.loading) return;
    await this.reload();
  }

  // ---- turns

  send(text: string): void {
    this.#ask(text, this.#lastStored());
  }

  /** Asks the question anew in other words, beside the old one. */
  edit(question: Turn, text: string): void {
    this.#ask(text, question.parentId);
  }

  regenerate(answer: Turn): void {
    const fresh = Turn.draft('assistant', answer.parentId);
    this.#add(fresh);
    this.#start({ regenerate: answer.id }, fresh);
  }

  continue(answer: Turn): void {
    this.#start({ continue: answer.id }, answer);
  }

  retry(answer: Turn): void {
    const again = this.#retries.get(answer);
    if (again) again();
    else this.regenerate(answer);
  }

  /** Asks the server to stop; the run then ends by its own `done` event. */
  async stop(turn: Turn | null = this.running): Promise<void> {
    if (!turn || turn.stopping) return;
    turn.stopping = true;
    if (turn.runId) await this.#stop(turn); // else as soon as the run is known
  }

  /** Shows another version of a question or an answer, here and wherever the conversation is opened next. */
  show(turn: Turn): void {
    this.#choose(turn);
    if (!this.conversationId || turn.isLocal || this.running) return;
    this.api.showBranch(this.conversationId, turn.id).catch(() => undefined); // the choice still holds on this page
  }

  close(): void {
    this.#leave();
  }

  // ---- runs

  #ask(text: string, parentId: string | null): void {
    this.turns = this.turns.filter((turn) => !this.#isLeftover(turn));
    const question = Turn.draft('user', parentId, text);
    const answer = Turn.draft('assistant', question.id);
    this.#add(question);
    this.#add(answer);
    this.#start({ message: text, ...(this.conversationId ? { parent_id: parentId } : {}) }, answer, question);
  }

  #start(turn: ChatBody, answer: Turn, question?: Turn): void {
    const body: ChatBody = { ...turn, ...this.hooks.options() };
    if (this.conversationId) body.conversation_id = this.conversationId;
    const key = uuid();
    this.#send(answer, {
      start: (signal) => this.api.chat(body, key, signal),
      question,
      anew: () => this.#start(turn, answer, question),
    });
  }

  #send(answer: Turn, how: Following): void {
    this.#retries.delete(answer);
    answer.begin();
    this.hooks.say('Question sent');
    void this.#follow(answer, how);
  }

  #resume(turn: Turn): void {
    if (turn.runId) void this.#follow(turn, { runId: turn.runId });
    else turn.status = 'interrupted';
  }

  async #follow(answer: Turn, how: Following): Promise<void> {
    const control = new AbortController();
    this.#follows.set(answer, control);
    try {
      await followRun(
        { start: how.start, resume: (id, after, signal) => this.api.resume(id, after, signal) },
        {
          signal: control.signal,
          runId: how.runId,
          apply: (event) => this.#apply(answer, event, how.question),
          connection: (state) => (answer.lost = state === 'lost'),
        },
      );
    } catch (error) {
      if (!control.signal.aborted) this.#failed(answer, error, how);
    } finally {
      if (this.#follows.get(answer) === control) this.#follows.delete(answer);
    }
  }

  #apply(answer: Turn, event: StreamEvent, question?: Turn): void {
    if (event.event === 'run') this.#named(answer, event.data, question);
    applyEvent(answer, event);
    if (event.event === 'run' && answer.stopping) void this.#stop(answer);
    if ((event.event === 'delta' || event.event === 'reasoning') && answer.stage) answer.stage = null;
    if (event.event === 'done') this.hooks.say(answer.status === 'stopped' ? 'Answer stopped' : 'Answer finished');
    if (event.event === 'error') this.hooks.say('The answer failed');
  }

  /** The server's ids take the place of the local ones. */
  #named(answer: Turn, run: Extract<StreamEvent, { event: 'run' }>['data'], question?: Turn): void {
    if (question && run.user_message_id) this.#rename(question, run.user_message_id);
    this.#rename(answer, run.message_id);
    const isNew = this.conversationId !== run.conversation_id;
    this.conversationId = run.conversation_id;
    this.hooks.opened(run.conversation_id, isNew);
  }

  #rename(turn: Turn, id: string): void {
    const old = turn.id;
    if (old === id) return;
    for (const child of this.turns) if (child.parentId === old) child.parentId = id;
    turn.id = id;
    this.choice = renamed(this.choice, old, id);
  }

  #failed(answer: Turn, error: unknown, how: Following): void {
    answer.settle();
    answer.lost = false;
    if (answer.runId && error instanceof ApiError && error.status === 404) {
      void this.reload(); // the run is over and its frames are gone: the stored message has it all
      return;
    }
    answer.status = 'failed';
    answer.fault = faultOf(error);
    this.hooks.say('The answer failed');
    if (!how.anew || answer.runId) return;
    // Nobody knows whether a lost request arrived: with its own key it finds its run instead of making a second.
    const lost = error instanceof ApiError && error.status === 0;
    this.#retries.set(answer, lost ? () => this.#send(answer, how) : how.anew);
  }

  async #stop(turn: Turn): Promise<void> {
    try {
      await this.api.stop(turn.runId!);
    } catch (error) {
      turn.stopping = false;
      if (!(error instanceof ApiError && [404, 409].includes(error.status))) this.hooks.say(faultOf(error).message);
    }
  }

  // ---- the tree

  /** A question that never reached the server, and the place of its answer. */
  #isLeftover(turn: Turn): boolean {
    return turn.isLocal && !turn.isRunning && !this.#follows.has(turn) && (turn.role === 'user' || !turn.content);
  }

  #lastStored(): string | null {
    return this.path.findLast((turn) => !turn.isLocal)?.id ?? null;
  }

  #add(turn: Turn): void {
    this.turns = [...this.turns, turn];
    this.#choose(turn);
  }

  #choose(turn: Turn): void {
    this.choice = { ...this.choice, [turn.parentId ?? '']: turn.id };
  }

  #leave(): void {
    this.#opening?.abort();
    this.#stopFollowing();
    this.#retries.clear();
  }

  #stopFollowing(): void {
    for (const control of this.#follows.values()) control.abort();
    this.#follows.clear();
  }
}
