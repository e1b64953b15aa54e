import { describe, expect, it } from 'vitest';
import { Api } from '../src/api/client';
import type { Pull, PullState } from '../src/api/model-types';
import { ceiling, perDay, rangeOf, short } from '../src/settings/days';
import { curlExample, pythonExample } from '../src/settings/examples';
import { expiryWords, isExpired, keyWords } from '../src/settings/key-words';
import { Loaded } from '../src/settings/load.svelte';
import { type DayFigures, type SourceStatus, placed } from '../src/settings/api';
import { breakerWords, healthOf, inOrder, queueWords } from '../src/settings/status-words';
import { Pulls, pullWords } from '../src/stores/pulls.svelte';
import { placeOf } from '../src/stores/route.svelte';

const status = (change: Partial<SourceStatus>): SourceStatus => ({
  configured: true,
  is_default: false,
  reachable: true,
  latency_ms: 1,
  default_model: null,
  models: 0,
  loaded: [],
  running: 0,
  waiting: 0,
  max_concurrent: 4,
  breaker: 'closed',
  last_error: null,
  addresses: [],
  ...change,
});

describe('how a source is', () => {
  it.each([
    [{}, 'Answers'],
    [{ reachable: false }, 'Does not answer'],
    [{ configured: false, reachable: false }, 'Not set up'],
    [{ breaker: 'open' }, 'Resting after failures'],
    [{ breaker: 'half_open' }, 'Being tried again'],
  ] as [Partial<SourceStatus>, string][])('%o', (change, words) => {
    expect(healthOf(status(change)).words).toBe(words);
  });

  it('words the queue and the rest after failures', () => {
    expect([queueWords(status({})), queueWords(status({ running: 4, waiting: 1 }))]).toEqual([
      'idle, up to 4 at once',
      '4 of 4 answering, 1 question waiting',
    ]);
    expect([breakerWords('open', 12.2), breakerWords(null)]).toEqual(['resting after failures, asked again in 13 s', 'in use']);
  });

  it('puts the default first and what is not set up last', () => {
    const all = { a: status({ configured: false }), b: status({}), c: status({ is_default: true }) };
    expect(inOrder(all).map(([name]) => name)).toEqual(['c', 'b', 'a']);
  });
});

describe('usage by day', () => {
  const row = (day: string, tokens: number) => ({ day, messages: 1, prompt_tokens: tokens, completion_tokens: 1 }) as DayFigures;

  it('has every day, and all models of a day together', () => {
    const days = perDay([row('2026-02-27', 5), row('2026-02-27', 6), row('2026-03-01', 7)], '2026-02-27', '2026-03-01');
    expect(days.map(({ day, messages, prompt }) => [day, messages, prompt])).toEqual([
      ['2026-02-27', 2, 11],
      ['2026-02-28', 0, 0],
      ['2026-03-01', 1, 7],
    ]);
  });

  it('counts back from today in UTC', () => {
    expect(rangeOf(7, Date.parse('2026-03-01T23:30:00Z'))).toEqual({ from: '2026-02-23', to: '2026-03-01' });
  });

  it('ends its axis at a round number', () => {
    expect([0, 1, 3, 11, 999, 5000].map(ceiling)).toEqual([1, 1, 5, 20, 1000, 5000]);
    expect([950, 1100, 12_345, 3_400_000, 2e9].map(short)).toEqual(['950', '1.1k', '12k', '3.4M', '2G']);
  });
});

describe('keys', () => {
  const now = Date.parse('2026-06-15T12:00:00Z');
  const key = { id: '1', name: 'n', scopes: [], prefix: 'sk_', created_at: '2026-01-05T12:00:00Z', expires_at: null, last_used_at: null };

  it('say when they were used and until when they work', () => {
    expect(keyWords(key, now)).toBe('Made Jan 5, 2026, not used yet, does not expire');
    expect(expiryWords({ expires_at: '2026-06-14T12:00:00Z' }, now)).toBe('expired Jun 14, 2026');
    expect(isExpired({ expires_at: '2026-06-16T12:00:00Z' }, now)).toBe(false);
  });

  it('come with programs whose quotes hold', () => {
    expect(curlExample('http://h/v1', 'sk_1', "it's/ü")).toContain(String.raw`-d '{"model":"it'\''s/ü","messages"`);
    expect(pythonExample('http://h/v1', 'sk_1', 'a"b')).toContain('model="a\\"b"');
  });
});

describe('pulls', () => {
  const pull = (state: PullState, more: Partial<Pull> = {}): Pull => ({
    name: 'm',
    model_source: 'local',
    file: null,
    state,
    progress: null,
    bytes_done: 0,
    bytes_total: null,
    error: null,
    ...more,
  });

  it('tell their end once, however often it is said', () => {
    const said: string[] = [];
    const pulls = new Pulls(new Api(), { say: (text) => said.push(text), ready: () => said.push('reload') });
    for (const state of ['queued', 'downloading', 'ready', 'ready'] as const) pulls.apply(pull(state));
    pulls.apply(pull('queued'));
    pulls.apply(pull('failed'));
    expect(said).toEqual(['m is ready', 'reload', 'm could not be fetched']);
    expect(pulls.items).toHaveLength(1);
  });

  it('say how far they are', () => {
    expect(pullWords(pull('downloading', { bytes_done: 5e8, bytes_total: 1e9, progress: 0.5 }))).toBe('500 MB of 1.0 GB, 50 %');
    expect(pullWords(pull('downloading', { bytes_done: 5e8 }))).toBe('500 MB so far');
    expect(pullWords(pull('failed', { error: { code: 'x', message: 'sha256 is wrong' } }))).toBe('sha256 is wrong.');
  });
});

it('keeps what was there, and takes the newest answer alone', async () => {
  const loaded = new Loaded<number>();
  let slow: (n: number) => void = () => undefined;
  const first = loaded.load(() => new Promise((resolve) => (slow = resolve)));
  await loaded.load(() => Promise.resolve(2));
  slow(1);
  await first;
  expect([loaded.value, loaded.busy]).toEqual([2, false]);
  await loaded.load(() => Promise.reject(new Error('no')));
  expect([loaded.value, loaded.fault?.message]).toEqual([2, 'no']);
});

it.each([
  ['#/settings', 'models'],
  ['#/settings/keys', 'keys'],
  ['#/settings/unheard', 'models'],
])('finds the settings at %s', (hash, page) => {
  expect(placeOf(hash)).toEqual({ view: 'settings', page });
});

describe('where a golden page was found', () => {
  const one = { id: '1', missing: false, before: null };

  it('is the place in the search that answers use', () => {
    expect(placed({ ...one, ranks: { text: 1, dense: 1, hybrid: 2 } })).toBe('place 2');
    expect(placed({ ...one, ranks: { text: 4 } })).toBe('place 4');
    expect(placed({ ...one, ranks: { text: 1, hybrid: null } })).toBe('not found');
  });

  it('is told with the place before when that was another', () => {
    expect(placed({ ...one, ranks: { hybrid: 2 }, before: { hybrid: 2 } })).toBe('place 2');
    expect(placed({ ...one, ranks: { hybrid: 2 }, before: { hybrid: null } })).toBe('place 2, not found before');
    expect(placed({ ...one, missing: true, ranks: {}, before: { hybrid: 2 } })).toContain('no such file');
  });
});
