import { expect, it } from 'vitest';
import type { Source, StreamEvent } from '../src/api/types';
import { type AnswerView, applyEvent } from '../src/chat/events';

function view(): AnswerView & { text: string } {
  return {
    id: 'local',
    status: 'streaming',
    stage: null,
    sources: [],
    citations: [],
    usage: null,
    fault: null,
    finish: null,
    source: null,
    model: null,
    fell: null,
    runId: null,
    text: '',
    append(text) {
      this.text += text;
    },
    think: () => undefined,
    settle: () => undefined,
  };
}

const after = (...events: StreamEvent[]) => {
  const answer = view();
  events.forEach((event) => applyEvent(answer, event));
  return answer;
};
const run: StreamEvent = {
  event: 'run',
  data: { run_id: 'r', conversation_id: 'c', user_message_id: null, message_id: 'm', model_source: 'openai', model: 'x' },
};
const source = { n: 1, file_name: 'a.pdf' } as Source;

it('builds an answer from events', () => {
  const answer = after(
    run,
    { event: 'sources', data: [source] },
    { event: 'delta', data: { text: 'so ' } },
    { event: 'delta', data: { text: '[1]' } },
    { event: 'citation', data: { n: 1, supported: true, char_from: 0, char_to: 6 } },
    { event: 'citation', data: { n: 1, supported: false, char_from: 0, char_to: 6 } },
    { event: 'done', data: { finish_reason: 'stop', message_id: 'm' } },
  );
  expect(answer).toMatchObject({ id: 'm', text: 'so [1]', sources: [source], status: 'complete', runId: null });
  expect(answer.citations).toEqual([{ n: 1, supported: false, char_from: 0, char_to: 6 }]); // told twice: the last holds
});

it.each([
  ['stop', 'complete'],
  ['length', 'complete'],
  ['stopped', 'stopped'],
  ['interrupted', 'interrupted'],
] as const)('ends with %s as %s', (finish_reason, status) => {
  expect(after(run, { event: 'done', data: { finish_reason, message_id: 'm' } })).toMatchObject({ status, finish: finish_reason });
});

it('shows what failed, and which model answers instead', () => {
  const fault = { code: 'upstream_timeout', message: 'late', retryable: true, request_id: 'q' };
  expect(after(run, { event: 'error', data: fault })).toMatchObject({ status: 'failed', fault, runId: null });
  const fallback: StreamEvent = { event: 'status', data: { stage: 'falling_back', model_source: 'passages' } };
  expect(after(run, fallback)).toMatchObject({
    source: 'passages',
    model: null,
    stage: { ...fallback.data, from: 'openai/x' },
    fell: { from: 'openai/x', reason: null },
  });
});

it('ignores what a newer server may say', () => {
  expect(after(run, { event: 'tool', data: {} } as unknown as StreamEvent).status).toBe('streaming');
});

it('remembers what was asked first, over two fallbacks and from the stored figures', () => {
  const to = (model_source: string): StreamEvent => ({ event: 'status', data: { stage: 'falling_back', model_source, reason: 'down' } });
  const second = after(run, to('a'), to('b'));
  expect(second).toMatchObject({ source: 'b', stage: { from: 'a' }, fell: { from: 'openai/x', reason: 'down' } });
  const usage = { event: 'usage', data: { fell_back_from: 'openai/x' } } as StreamEvent;
  expect(after(run, usage).fell).toEqual({ from: 'openai/x', reason: null });
});
