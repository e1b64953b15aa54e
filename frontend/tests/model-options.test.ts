import { beforeEach, describe, expect, it } from 'vitest';
import { Api } from '../src/api/client';
import type { ListedModel, ListedSource, ModelList } from '../src/api/model-types';
import { contextWords, defaultOf, groupsOf, hasNoModel, keyOf, noteOf, refOf, typedOptions } from '../src/stores/model-options';
import { Models } from '../src/stores/models.svelte';

const model = (model_source: string, name: string, more: Partial<ListedModel> = {}): ListedModel => ({
  name,
  model_source,
  kind: null,
  context_tokens: null,
  size_bytes: null,
  loaded: null,
  is_default: false,
  ...more,
});
const source = (model_source: string, more: Partial<ListedSource> = {}): ListedSource => ({
  model_source,
  is_default: false,
  default_model: null,
  reason: null,
  ...more,
});
const list: ModelList = {
  items: [
    model('openai', 'gpt', { kind: 'chat' }),
    model('openai', 'embed', { kind: 'embedding' }),
    model('hub', 'meta/llama-70b', { size_bytes: 4e9, loaded: true, context_tokens: 131072 }),
  ],
  sources: [
    source('openai', { is_default: true, default_model: 'gpt' }),
    source('hub'),
    source('silent', { default_model: 'mute', reason: 'connection refused' }),
    source('lost', { reason: 'no address' }),
    source('passages'),
  ],
  reason: null,
};
const keys = (words?: string) => groupsOf(list, words).flatMap((group) => group.options.map((option) => option.key));

describe('the list of models', () => {
  it('has what can answer, by source, and the set model of a source that lists nothing', () => {
    expect(keys()).toEqual(['openai/gpt', 'hub/meta/llama-70b', 'silent/mute', 'passages/']);
  });

  it('is searched by every word, in any case', () => {
    expect(keys('LLAMA hub')).toEqual(['hub/meta/llama-70b']);
    expect(keys('llama openai')).toEqual([]);
  });

  it('offers a typed name at each source that has models, or at the one that it names', () => {
    const typed = (words: string) => typedOptions(list, words).map((option) => option.key);
    expect(typed('xyz')).toEqual(['openai/xyz', 'hub/xyz', 'silent/xyz', 'lost/xyz']);
    expect(typed('lost/xyz')).toEqual(['lost/xyz']);
    expect(typed('meta/llama-70b')).toEqual(['openai/meta/llama-70b', 'silent/meta/llama-70b', 'lost/meta/llama-70b']);
    expect([typed('gpt')[0], typed('two words'), typed(' ')]).toEqual(['hub/gpt', [], []]);
  });

  it('knows the default, and when there is no model at all', () => {
    expect(defaultOf(list)).toEqual({ source: 'openai', model: 'gpt' });
    const none = (...sources: ListedSource[]) => hasNoModel({ items: [], sources, reason: null });
    expect([hasNoModel(list), none(source('passages')), none(source('local'), source('passages'))]).toEqual([false, true, true]);
    expect(none(source('lost', { reason: 'no address' }))).toBe(false);
  });

  it('has small print', () => {
    expect(noteOf(list.items[2]!)).toBe('loaded · 4.0 GB · 128k context');
    expect(noteOf({ loaded: false, size_bytes: 4e9, memory_bytes: 5e9, context_tokens: null })).toBe('4.0 GB · needs 5.0 GB of memory');
    expect([2048, 32768, 128000, 200000, 1048576, 512].map(contextWords)).toEqual(['2k', '32k', '128k', '200k', '1M', '512']);
  });

  it.each([{ source: 'hub', model: 'meta/llama-70b' }, { source: 'passages', model: null }])('writes %o and reads it', (ref) => {
    expect(refOf(keyOf(ref))).toEqual(ref);
  });
});

describe('the chosen model', () => {
  let models: Models;
  const gpt = { source: 'openai', model: 'gpt' };
  const llama = { source: 'hub', model: 'meta/llama-70b' };
  beforeEach(() => {
    localStorage.clear();
    models = new Models(new Api());
    models.of('ann');
    models.list = list;
  });

  it('is the default, until one is picked', () => {
    expect(models.chosen(null, null)).toBeNull();
    expect(models.chosen('c', gpt)).toBeNull(); // it is the default
  });

  it('is that of the last answer, unless its source is gone', () => {
    models.pick(null, llama);
    expect(models.chosen('c', { source: 'hub', model: 'other' })).toEqual({ source: 'hub', model: 'other' });
    expect(models.chosen('c', { source: 'gone', model: 'x' })).toEqual(llama);
  });

  it('is what was picked in this conversation, the default too', () => {
    models.pick('c', llama);
    models.pick('d', null);
    expect([models.chosen('c', gpt), models.chosen('d', llama)]).toEqual([llama, null]);
  });

  it('goes with a new chat that gets its id', () => {
    models.pick(null, llama);
    models.settle('c');
    models.pick(null, gpt);
    expect(models.chosen('c', gpt)).toEqual(llama);
  });

  it('is remembered for each user', () => {
    models.pick(null, llama);
    const later = new Models(new Api());
    later.of('bob');
    expect(later.chosen(null, null)).toBeNull();
    later.of('ann');
    expect(later.chosen(null, null)).toEqual(llama);
  });
});
