import type { Usage } from '../api/types';
import { count } from '../text';

const QUEUE_SHOWN_MS = 500;

export const duration = (ms: number): string => {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
};

/** US dollars; what is less than a cent keeps two figures. */
export const money = (dollars: number): string => {
  if (dollars === 0) return '$0';
  if (dollars < 0.000001) return 'under $0.000001';
  return `$${dollars < 0.01 ? dollars.toPrecision(2).replace(/e.*/, '') : dollars.toFixed(2)}`;
};

const speed = (tokens: number): string => `${tokens < 10 ? tokens.toFixed(1) : Math.round(tokens)} tokens/s`;

/** What an answer took, in one line. */
export function usageLine(usage: Usage | null): string[] {
  if (!usage) return [];
  const parts: string[] = [];
  if (usage.completion_tokens) parts.push(`${usage.counted_by === 'estimate' ? 'about ' : ''}${count(usage.completion_tokens, 'token')}`);
  if (usage.tokens_per_s) parts.push(speed(usage.tokens_per_s));
  if (usage.ttft_ms != null) parts.push(`first after ${duration(usage.ttft_ms)}`);
  if (usage.queue_ms && usage.queue_ms >= QUEUE_SHOWN_MS) parts.push(`${duration(usage.queue_ms)} in line`);
  if (usage.cost) parts.push(money(usage.cost));
  return parts;
}

const COUNTED: Record<Usage['counted_by'], string> = {
  provider: 'by the model’s server',
  tokenizer: 'by the model’s own tokenizer',
  estimate: 'an estimate from the length of the text',
};

/** The same and more, as names and values. */
export function usageDetails(usage: Usage): [string, string][] {
  const about = usage.counted_by === 'estimate' ? 'about ' : '';
  const time = (ms: number | null | undefined) => (ms == null ? '' : duration(ms));
  const rows: [string, string][] = [
    ['Prompt', `${about}${count(usage.prompt_tokens, 'token')}`],
    ['Answer', `${about}${count(usage.completion_tokens, 'token')}`],
    ['Counted', COUNTED[usage.counted_by] ?? ''],
    ['Speed of writing', usage.tokens_per_s ? speed(usage.tokens_per_s) : ''],
    ['Until the first token', time(usage.ttft_ms)],
    ['Waiting in line', time(usage.queue_ms)],
    ['Reading the prompt', time(usage.prompt_ms)],
    ['Cost', usage.cost == null ? '' : money(usage.cost)],
    ['Attempts', usage.attempts && usage.attempts > 1 ? String(usage.attempts) : ''],
  ];
  return rows.filter(([, value]) => value);
}
