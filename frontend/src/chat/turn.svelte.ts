import { flushSync } from 'svelte';
import type { Citation } from '../api/document-types';
import type { ModelRef } from '../api/model-types';
import type { Fault, Message, MessageStatus, Source, Usage } from '../api/types';
import { refOf } from '../stores/model-options';
import type { Fell, ShownStage } from './events';
import { FrameWriter } from './frames';

let keys = 0;

/** An answer that was continued may carry a passage once for each of its runs. */
const distinct = (sources: Source[]) =>
  sources.filter((source, index) => sources.findIndex((other) => other.n === source.n) === index);

/** One message as the page shows it. `key` stays the same when the server's id replaces a local one. */
export class Turn {
  readonly key = `turn-${++keys}`;
  readonly role: 'user' | 'assistant';
  id = $state('');
  parentId = $state<string | null>(null);
  content = $state('');
  reasoning = $state('');
  status = $state<MessageStatus>('complete');
  stage = $state.raw<ShownStage | null>(null);
  sources = $state.raw<Source[]>([]);
  citations = $state.raw<Citation[]>([]);
  usage = $state.raw<Usage | null>(null);
  fault = $state.raw<Fault | null>(null);
  finish = $state<string | null>(null);
  source = $state<string | null>(null);
  model = $state<string | null>(null);
  fell = $state.raw<Fell | null>(null);
  runId = $state<string | null>(null);
  /** The connection to the run is being made again. */
  lost = $state(false);
  /** Stop was asked for and the run has not ended yet. */
  stopping = $state(false);
  createdAt = '';
  #text = '';
  #thought = '';
  #writer = new FrameWriter(() => flushSync(() => this.settle()));

  constructor(role: 'user' | 'assistant', id: string, parentId: string | null) {
    this.role = role;
    this.id = id;
    this.parentId = parentId;
  }

  static of(message: Message): Turn {
    const turn = new Turn(message.role === 'user' ? 'user' : 'assistant', message.id, message.parent_id);
    turn.content = turn.#text = message.content;
    turn.reasoning = turn.#thought = message.reasoning ?? '';
    turn.status = message.status;
    turn.sources = distinct(message.sources ?? []);
    turn.citations = message.citations ?? [];
    turn.usage = message.usage;
    turn.fell = message.usage?.fell_back_from ? { from: message.usage.fell_back_from, reason: null } : null;
    turn.fault = message.error;
    turn.finish = message.finish_reason;
    turn.source = message.model_source;
    turn.model = message.model;
    turn.runId = message.run_id;
    turn.createdAt = message.created_at;
    return turn;
  }

  static draft(role: 'user' | 'assistant', parentId: string | null, content = ''): Turn {
    const turn = new Turn(role, `local-${keys + 1}`, parentId);
    turn.content = turn.#text = content;
    return turn;
  }

  /** Not stored by the server, as far as the page knows. */
  get isLocal(): boolean {
    return this.id.startsWith('local-');
  }

  get isRunning(): boolean {
    return this.status === 'streaming';
  }

  /** What was asked, whatever answered. The passages are what answers when there is no model: nobody asked them. */
  get asked(): ModelRef | null {
    if (this.fell) return refOf(this.fell.from) ?? { source: this.fell.from, model: null };
    return this.source && this.source !== 'passages' ? { source: this.source, model: this.model } : null;
  }

  append(text: string): void {
    this.#text += text;
    this.#writer.later();
  }

  think(text: string): void {
    this.#thought += text;
    this.#writer.later();
  }

  /** Shows what was appended, now. */
  settle(): void {
    this.content = this.#text;
    this.reasoning = this.#thought;
  }

  begin(): void {
    this.status = 'streaming';
    this.fault = null;
    this.finish = null;
    this.usage = null;
    this.fell = null;
    this.stage = null;
    this.stopping = false;
    this.lost = false;
  }
}
