/** What goes over the wire, as the API names it. */

import type { Access, Citation, Coverage, PageTags, Tags } from './document-types';

export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export interface User {
  id: string;
  username: string;
  role: string;
}

export interface Conversation {
  id: string;
  title: string;
  active_message_id: string | null;
  created_at: string;
  updated_at: string;
}

export type MessageStatus = 'complete' | 'streaming' | 'stopped' | 'interrupted' | 'failed';

export interface Source {
  n: number;
  file_id: string;
  file_name: string;
  page_from: number;
  page_to: number;
  char_from: number;
  char_to: number;
  text: string;
  score: number;
  supported?: boolean;
  /** What belongs before the text, such as the header of its table. */
  context?: string;
  /** What people call the first page when it is no number: a sheet, a chapter. */
  page_label?: string | null;
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  counted_by: 'provider' | 'tokenizer' | 'estimate';
  ttft_ms: number | null;
  tokens_per_s: number | null;
  queue_ms?: number | null;
  prompt_ms?: number | null;
  /** US dollars; null: no price is known. */
  cost?: number | null;
  attempts?: number;
  /** `source/model` that was asked first and did not answer. */
  fell_back_from?: string | null;
}

export interface Fault {
  code: string;
  message: string;
  retryable?: boolean;
  request_id?: string;
}

export interface Message {
  id: string;
  conversation_id: string;
  parent_id: string | null;
  role: 'user' | 'assistant' | 'system';
  content: string;
  reasoning: string | null;
  status: MessageStatus;
  model_source: string | null;
  model: string | null;
  finish_reason: string | null;
  sources: Source[];
  citations?: Citation[] | null;
  usage: Usage | null;
  error: Fault | null;
  run_id: string | null;
  created_at: string;
}

export type FileStatus = 'stored' | 'parsing' | 'embedding' | 'indexing' | 'ready' | 'failed' | 'cancelled';

export interface StoredFile {
  id: string;
  name: string;
  media_type: string;
  size_bytes: number;
  status: FileStatus;
  pages_total: number | null;
  pages_done: number;
  chunks_total: number | null;
  chunks_done: number;
  error: { code: string; message: string } | null;
  conversation_id: string | null;
  created_at: string;
  needs_reindex?: boolean;
  /** Finer than the status: `splitting`, `verifying`. */
  step?: string;
  attempt?: number;
  coverage?: Coverage | null;
  /** Those that this user may see it in. */
  collections?: { id: string; name: string }[];
  tags?: Tags;
  page_tags?: PageTags[];
  source_url?: string | null;
  /** `read`: somebody else's, in a collection that is shared with this user. */
  access?: Access;
  /** The answer of an upload: the same bytes were here already, and this is that file. */
  duplicate?: boolean;
}

export interface ChatBody {
  message?: string;
  conversation_id?: string;
  parent_id?: string | null;
  regenerate?: string;
  continue?: string;
  model_source?: string;
  model?: string;
  use_rag?: boolean;
  file_ids?: string[];
  collection_ids?: string[];
  tags?: Record<string, string[]>;
  strict?: boolean;
}

export type Stage = 'queued' | 'retrieving' | 'prompt' | 'generating' | 'retrying' | 'falling_back';

/** Everything that a run may say; `event` is the name of the server-sent event. */
export type StreamEvent =
  | {
      event: 'run';
      data: {
        run_id: string;
        conversation_id: string;
        user_message_id: string | null;
        message_id: string;
        model_source: string;
        model: string | null;
      };
    }
  | {
      event: 'status';
      data: {
        stage: Stage;
        position?: number;
        progress?: number;
        attempt?: number;
        model_source?: string;
        model?: string | null;
        reason?: string;
      };
    }
  | { event: 'sources'; data: Source[] }
  | { event: 'reasoning'; data: { text: string } }
  | { event: 'delta'; data: { text: string } }
  | { event: 'citation'; data: Citation }
  | { event: 'usage'; data: Usage }
  | { event: 'done'; data: { finish_reason: 'stop' | 'length' | 'stopped' | 'interrupted'; message_id: string } }
  | { event: 'error'; data: Fault };

export type StatusData = Extract<StreamEvent, { event: 'status' }>['data'];
