import type { Api } from '../api/client';
import type { Page } from '../api/types';

/** What the settings pages ask for; loaded with them. */

export interface AddressStatus {
  address: string;
  reachable: boolean;
  latency_ms: number | null;
  busy: number;
  breaker: Breaker;
  cooling_s: number;
  last_error: string | null;
}
export type Breaker = 'closed' | 'open' | 'half_open' | null;

export interface SourceStatus {
  configured: boolean;
  is_default: boolean;
  reachable: boolean;
  latency_ms: number | null;
  default_model: string | null;
  /** How many it lists. */
  models: number;
  loaded: string[];
  running: number;
  waiting: number;
  max_concurrent: number | null;
  breaker: Breaker;
  last_error: string | null;
  addresses: AddressStatus[];
}

export const SCOPES = ['openai', 'chat', 'files', 'models', 'stats'] as const;
export type Scope = (typeof SCOPES)[number];

export interface ApiKey {
  id: string;
  name: string;
  scopes: Scope[];
  prefix: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}
export type KeyMade = Pick<ApiKey, 'id' | 'name' | 'scopes' | 'created_at' | 'expires_at'> & { key: string };

export interface Figures {
  messages: number;
  failed: number;
  prompt_tokens: number;
  completion_tokens: number;
  estimated: number;
  cost: number | null;
}
export type ModelFigures = Figures & { model_source: string; model: string | null };
export type DayFigures = ModelFigures & { day: string };

export interface Stats {
  from: string;
  to: string;
  totals: Figures;
  models: ModelFigures[];
  days: DayFigures[];
  truncated?: boolean;
  users?: number;
  accounts?: number;
  per_user?: (Figures & { username: string })[];
  storage?: { files: number; bytes: number };
}

export const statusOf = (api: Api) => api.json<Record<string, SourceStatus>>('GET', '/models/status');
export const removeLocal = (api: Api, name: string) => api.send('DELETE', `/models/local/${encodeURIComponent(name)}`);

export const keysOf = async (api: Api) => (await api.json<Page<ApiKey>>('GET', '/auth/keys')).items;
export const makeKey = (api: Api, body: { name: string; scopes: Scope[]; expires_in_days?: number }) =>
  api.json<KeyMade>('POST', '/auth/keys', { body });
export const revokeKey = (api: Api, id: string) => api.send('DELETE', `/auth/keys/${id}`);

export const stats = (api: Api, whose: 'user' | 'system', from: string, to: string) =>
  api.json<Stats>('GET', `/stats/${whose}`, { query: { from, to } });

export interface Golden {
  id: string;
  question: string;
  /** null: there is no such file now. */
  file_id: string | null;
  file_name: string;
  page: number;
}
export const goldenOf = (api: Api, cursor: string | null) => api.json<Page<Golden>>('GET', '/golden', { query: { cursor } });
type Ranks = Partial<Record<'text' | 'dense' | 'hybrid', number | null>>;
export interface GoldenRun {
  items: { id: string; missing: boolean; ranks: Ranks; before: Ranks | null }[];
}
export const runGolden = (api: Api) => api.json<GoldenRun>('POST', '/golden/run');
export const removeGolden = (api: Api, id: string) => api.send('DELETE', `/golden/${id}`);

/** Where the search that answers use found the page, and where in the run before when that was another place. */
export function placed({ missing, ranks, before }: GoldenRun['items'][number]): string {
  if (missing) return 'not asked: there is no such file now';
  const best = (found: Ranks) => ('hybrid' in found ? found.hybrid : found.text) ?? null;
  const said = (rank: number | null) => (rank === null ? 'not found' : `place ${rank}`);
  const now = said(best(ranks));
  const then = before && said(best(before));
  return then && then !== now ? `${now}, ${then} before` : now;
}
