import type { Api } from '../api/client';
import { faultOf } from '../api/errors';
import type { ModelList, ModelOffer, ModelRef } from '../api/model-types';
import type { Fault } from '../api/types';
import { defaultOf, hasNoModel, keyOf, refOf } from './model-options';
import { remember, remembered } from './preferences';

const FRESH_MS = 15_000;

/**
 * The models that may be asked, and which one is: the one picked in this conversation, else the one that its last answer
 * was asked of, else the one this user picked last, else the server's default (null).
 */
export class Models {
  list = $state.raw<ModelList | null>(null);
  fault = $state.raw<Fault | null>(null);
  loading = $state(false);
  offer = $state.raw<ModelOffer | null>(null);
  /** The picker is open; what else asks for it sets it too. */
  open = $state(false);
  #picked = $state.raw<Readonly<Record<string, ModelRef | null>>>({});
  #kept = $state.raw<ModelRef | null>(null);
  #user = '';
  #at = 0;

  constructor(readonly api: Api) {}

  /** Whose choice is remembered. */
  of(userId: string): void {
    this.#user = `model:${userId}`;
    this.#kept = refOf(remembered(this.#user));
    this.#picked = {};
  }

  standard = $derived(this.list ? defaultOf(this.list) : null);
  none = $derived(this.list !== null && hasNoModel(this.list));

  /** `last`: what the conversation's last answer was asked of. */
  chosen(conversationId: string | null, last: ModelRef | null): ModelRef | null {
    const picked = this.#picked[conversationId ?? ''];
    const ref = picked !== undefined ? picked : (this.#known(last) ?? this.#known(this.#kept));
    return ref && keyOf(ref) === keyOf(this.standard) ? null : ref;
  }

  pick(conversationId: string | null, ref: ModelRef | null): void {
    this.#picked = { ...this.#picked, [conversationId ?? '']: ref };
    this.#kept = ref;
    remember(this.#user, keyOf(ref));
  }

  /** A new chat got its id: what was picked for it stays with it, and the next new chat starts afresh. */
  settle(conversationId: string): void {
    const { '': picked, ...others } = this.#picked;
    this.#picked = picked === undefined ? others : { ...others, [conversationId]: picked };
  }

  /** A source that is gone is asked no more; a model that is not listed may still be there. */
  #known(ref: ModelRef | null): ModelRef | null {
    if (!ref || !this.list) return ref;
    return this.list.sources.some((source) => source.model_source === ref.source) ? ref : null;
  }

  async load(fresh = true): Promise<void> {
    if (this.loading || (!fresh && Date.now() - this.#at < FRESH_MS)) return;
    this.loading = true;
    try {
      this.list = await this.api.models();
      this.fault = null;
      this.#at = Date.now();
      this.offer = hasNoModel(this.list) ? await this.api.offer() : null;
    } catch (error) {
      this.fault = faultOf(error);
    } finally {
      this.loading = false;
    }
  }
}
