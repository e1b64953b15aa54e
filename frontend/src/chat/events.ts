import type { Fault, MessageStatus, Source, StatusData, StreamEvent, Usage } from '../api/types';

/** What an event may change. `Turn` is one; tests bring a plain object. */
export interface AnswerView {
  id: string;
  status: MessageStatus;
  stage: StatusData | null;
  sources: Source[];
  unsupported: number[];
  usage: Usage | null;
  fault: Fault | null;
  finish: string | null;
  source: string | null;
  model: string | null;
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
      return;
    case 'status':
      answer.stage = data;
      if (data.model_source) answer.source = data.model_source;
      if (data.model) answer.model = data.model;
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
      if (!data.supported) answer.unsupported = [...answer.unsupported, data.n];
      return;
    case 'usage':
      answer.usage = data;
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
