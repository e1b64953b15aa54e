import type { ListedModel, ListedSource, ModelList, ModelRef } from '../api/model-types';
import { size } from '../text';

/** A line of the model picker. `ref` null: the server's default. */
export interface ModelOption {
  key: string;
  ref: ModelRef | null;
  label: string;
  /** Small print: loaded, size, context. */
  note: string;
}

export interface ModelGroup {
  source: string;
  options: ModelOption[];
}

/** Sources that are no model: what they answer with, in words. */
const WITHOUT_MODEL: Record<string, string> = { passages: 'Passages, no model' };

export const keyOf = (ref: ModelRef | null): string => (ref ? `${ref.source}/${ref.model ?? ''}` : '');

export function refOf(key: string): ModelRef | null {
  const slash = key.indexOf('/');
  return slash > 0 ? { source: key.slice(0, slash), model: key.slice(slash + 1) || null } : null;
}

/** A name for people. */
export const nameOf = (ref: ModelRef): string => ref.model ?? WITHOUT_MODEL[ref.source] ?? ref.source;
export const fullNameOf = (ref: ModelRef): string =>
  ref.model ? `${ref.source}/${ref.model}` : (WITHOUT_MODEL[ref.source] ?? ref.source);

const answers = (model: ListedModel) => model.kind === null || model.kind === 'chat';

/** 32768 -> 32k, 131072 -> 128k, 128000 -> 128k, 1048576 -> 1M */
export function contextWords(tokens: number): string {
  if (tokens < 1000) return String(tokens);
  const unit = tokens % 1000 !== 0 && tokens % 1024 === 0 ? 1024 : 1000;
  const k = tokens / unit;
  return k >= unit ? `${Math.round((k / unit) * 10) / 10}M` : `${k < 10 ? Math.round(k * 10) / 10 : Math.round(k)}k`;
}

export function noteOf(model: Pick<ListedModel, 'loaded' | 'size_bytes' | 'context_tokens' | 'memory_bytes'>): string {
  const parts: string[] = [];
  if (model.loaded) parts.push('loaded');
  if (model.size_bytes) parts.push(size(model.size_bytes));
  if (model.memory_bytes) parts.push(`${model.loaded ? 'takes' : 'needs'} ${size(model.memory_bytes)} of memory`);
  if (model.context_tokens) parts.push(`${contextWords(model.context_tokens)} context`);
  return parts.join(' · ');
}

function optionsOf(source: ListedSource, items: readonly ListedModel[]): ModelOption[] {
  const own = items.filter((item) => item.model_source === source.model_source);
  const named = source.default_model;
  const refs: [ModelRef, string][] = own
    .filter(answers)
    .map((item) => [
      { source: item.model_source, model: item.name },
      [item.name === named ? 'its default' : '', noteOf(item)].filter(Boolean).join(' · '),
    ]);
  // What it is set to may answer though it is not listed, as at servers that list nothing.
  if (named && !own.some((item) => item.name === named)) {
    refs.unshift([{ source: source.model_source, model: named }, 'its default, not listed']);
  }
  if (!refs.length && !own.length && !source.reason) refs.push([{ source: source.model_source, model: null }, '']);
  return refs.map(([ref, note]) => ({ key: keyOf(ref), ref, label: nameOf(ref), note }));
}

/** What may be asked, by source, in the server's order; of those whose name or source has the words. */
export function groupsOf(list: ModelList, words = ''): ModelGroup[] {
  const wanted = words.trim().toLowerCase().split(/\s+/);
  return list.sources
    .map((source) => ({
      source: source.model_source,
      options: optionsOf(source, list.items).filter((option) => {
        const text = `${option.key} ${option.label}`.toLowerCase();
        return wanted.every((word) => text.includes(word));
      }),
    }))
    .filter((group) => group.options.length);
}

/** `words` as a model's name at each source that has models, unless it is listed there. */
export function typedOptions(list: ModelList, words: string): ModelOption[] {
  const typed = words.trim();
  if (!typed || /\s/.test(typed) || typed.length > 200) return [];
  const known = new Set(groupsOf(list).flatMap((group) => group.options.map((option) => option.key)));
  const { source, model } = refOf(typed) ?? { source: '', model: null };
  const named = list.sources.some((s) => s.model_source === source && !(source in WITHOUT_MODEL));
  return list.sources
    .map((s) => s.model_source)
    .filter((name) => !(name in WITHOUT_MODEL) && (!named || name === source))
    .map((name) => ({ source: name, model: named ? model : typed }))
    .filter((ref) => ref.model && !known.has(keyOf(ref)))
    .map((ref) => ({ key: keyOf(ref), ref, label: `Use “${ref.model}” at ${ref.source}`, note: 'not listed' }));
}

/** What answers when nothing is chosen. */
export function defaultOf(list: ModelList): ModelRef | null {
  const source = list.sources.find((s) => s.is_default);
  return source ? { source: source.model_source, model: source.default_model } : null;
}

/** Whether nothing can answer but the passages, nor could when a server came back. */
export const hasNoModel = (list: ModelList): boolean =>
  list.sources.every(
    (source) =>
      source.model_source in WITHOUT_MODEL ||
      !(source.default_model || source.reason || list.items.some((item) => item.model_source === source.model_source && answers(item))),
  );
