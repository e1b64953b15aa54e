import type { Citation } from '../api/document-types';
import type { Fault, MessageStatus, Source, StatusData, StreamEvent, Usage } from '../api/types';

/** `from`: what did not answer, when another is asked instead. */
export type ShownStage = StatusData & { from?: string };

/** That another model answered: which one was asked first, and why it did not, as far as is known. */
export interface Fell {
  from: string;
  reason: string | null;
}

/** What an event may change. `Turn` is one; tests bring a plain object. */
export interface AnswerView {
  id: string;
  status: MessageStatus;
  stage: ShownStage | null;
  sources: Source[];
  citations: Citation[];
  usage: Usage | null;
  fault: Fault | null;
  finish: string | null;
  source: string | null;
  model: string | null;
  fell: Fell | null;
  runId: string | null;
  append(text: string): void;
  think(text: string): void;
  settle(): void;
}

const STATUS: Record<string, MessageStatus> = { stopped: 'stopped', interrupted: 'interrupted' };

/** The one consumer of a run's events, whether they come from the POST or from a resumed stream. */
export function applyEvent(answer: AnswerView, { event, data }: StreamEvent): void {
  switch (event) {
    case 'run':
      answer.id = data.message_id;
      answer.runId = data.run_id;
      answer.source = data.model_source;
      answer.model = data.model;
      answer.fell = null;
      return;
    case 'status':
      answer.stage = data;
      if (data.stage === 'falling_back') fallBack(answer, data);
      return;
    case 'sources':
      answer.sources = data;
      return;
    case 'reasoning':
      answer.think(data.text);
      return;
    case 'delta':
      answer.append(data.text);
      return;
    case 'citation':
      answer.citations = [...answer.citations.filter((known) => !isSame(known, data)), data];
      return;
    case 'usage':
      answer.usage = data;
      if (data.fell_back_from) answer.fell ??= { from: data.fell_back_from, reason: null };
      return;
    case 'done':
      answer.settle();
      answer.status = STATUS[data.finish_reason] ?? 'complete';
      answer.finish = data.finish_reason;
      answer.runId = null;
      return;
    case 'error':
      answer.settle();
      answer.status = 'failed';
      answer.fault = data;
      answer.runId = null;
      return;
    default:
      return event satisfies never; // a newer server may say more; it is not an error
  }
}

/** The same number at the same place, told again. */
const isSame = (a: Citation, b: Citation) =>
  a.n === b.n && a.char_from === b.char_from && a.char_to === b.char_to && a.mark?.char_from === b.mark?.char_from;

function fallBack(answer: AnswerView, data: StatusData): void {
  const from = joined(answer.source, answer.model);
  answer.stage = { ...data, from };
  answer.fell ??= { from, reason: data.reason ?? null };
  answer.source = data.model_source ?? answer.source;
  answer.model = data.model ?? null;
}

/** `source/model`, as the API writes it. */
export const joined = (source: string | null, model: string | null): string => [source, model].filter(Boolean).join('/');
