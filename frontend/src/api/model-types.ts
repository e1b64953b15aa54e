/** Models, their sources and their pulls, as the API names them. */

export interface ListedModel {
  name: string;
  model_source: string;
  /** null: the source does not say. */
  kind: 'chat' | 'embedding' | 'rerank' | null;
  context_tokens: number | null;
  size_bytes: number | null;
  loaded: boolean | null;
  /** What it needs on this machine, with its context; of local models. */
  memory_bytes?: number | null;
  /** Of its source. */
  is_default: boolean;
}

export interface ListedSource {
  model_source: string;
  /** Asked when a question names none. */
  is_default: boolean;
  default_model: string | null;
  /** Why it lists nothing; null: it answers. */
  reason: string | null;
}

export interface ModelList {
  items: ListedModel[];
  sources: ListedSource[];
  reason: string | null;
}

export interface ModelOffer {
  name: string;
  repo: string;
  file: string;
  size_bytes: number;
  license: string | null;
  command: string;
}

export type PullState = 'queued' | 'downloading' | 'verifying' | 'ready' | 'failed' | 'cancelled';

export interface Pull {
  name: string;
  model_source: string;
  file: string | null;
  state: PullState;
  /** From 0 to 1, of this state; null: nobody can say. */
  progress: number | null;
  bytes_done: number;
  bytes_total: number | null;
  error: { code: string; message: string } | null;
}

/** What is asked: a source, and a model there or the source's default (null). */
export interface ModelRef {
  source: string;
  model: string | null;
}
