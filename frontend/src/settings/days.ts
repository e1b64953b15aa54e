import type { DayFigures } from './api';

const DAY_MS = 86_400_000;

export interface Day {
  day: string;
  messages: number;
  prompt: number;
  completion: number;
}

export const isoDay = (at: number): string => new Date(at).toISOString().slice(0, 10);

/** The last `days` days in UTC, today with them. */
export const rangeOf = (days: number, now = Date.now()) => ({ from: isoDay(now - (days - 1) * DAY_MS), to: isoDay(now) });

/** One for each day from `from` to `to`, those without any use too; all models together. */
export function perDay(rows: readonly DayFigures[], from: string, to: string): Day[] {
  const days = new Map<string, Day>();
  for (let at = Date.parse(from); at <= Date.parse(to) && days.size < 400; at += DAY_MS) {
    days.set(isoDay(at), { day: isoDay(at), messages: 0, prompt: 0, completion: 0 });
  }
  for (const row of rows) {
    const day = days.get(row.day);
    if (!day) continue;
    day.messages += row.messages;
    day.prompt += row.prompt_tokens;
    day.completion += row.completion_tokens;
  }
  return [...days.values()];
}

/** 1, 2 or 5 times a power of ten, not below `value`: where an axis ends. */
export function ceiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((end) => end >= value)!;
}

/** 950, 12k, 3.4M */
export function short(n: number): string {
  for (const [unit, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (n >= unit) return `${n / unit < 10 ? Math.round((n / unit) * 10) / 10 : Math.round(n / unit)}${letter}`;
  }
  return String(n);
}

const DATE = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', timeZone: 'UTC' });
export const dayWords = (day: string): string => DATE.format(Date.parse(day));
