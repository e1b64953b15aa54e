import { expect, it } from 'vitest';
import type { Usage } from '../src/api/types';
import type { ShownStage } from '../src/chat/events';
import { isTold, ordinal, stageWords } from '../src/chat/stage-words';
import { duration, money, usageDetails, usageLine } from '../src/chat/usage-words';

it.each([
  [{ stage: 'queued', position: 3 }, 'Waiting, 3rd in line'],
  [{ stage: 'queued' }, 'Waiting in line'],
  [{ stage: 'prompt', progress: 0.404 }, 'Reading the prompt 40 %'],
  [{ stage: 'retrying', attempt: 2, reason: 'it answered 503.' }, 'Trying again (2): it answered 503'],
  [
    { stage: 'falling_back', from: 'openai', model_source: 'vllm', model: 'qwen', reason: 'no answer within 60 s' },
    'openai did not answer, asking vllm/qwen instead: no answer within 60 s',
  ],
  [{ stage: 'falling_back', from: 'openai/x', model_source: 'passages', model: null }, 'openai/x did not answer, asking passages instead'],
  [{ stage: 'dreaming' }, 'Working'],
] as [ShownStage, string][])('says what is done: %o', (stage, words) => {
  expect(stageWords(stage)).toBe(words);
});

it('counts places, and reads out those alone', () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 103].map(ordinal)).toEqual(['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '22nd', '103rd']);
  expect([isTold({ stage: 'queued' }), isTold({ stage: 'prompt' }), isTold(null)]).toEqual([true, false, false]);
});

const usage: Usage = { prompt_tokens: 1200, completion_tokens: 1, counted_by: 'provider', ttft_ms: 1234, tokens_per_s: 8.25 };

it('says what an answer took', () => {
  expect(usageLine(usage)).toEqual(['1 token', '8.3 tokens/s', 'first after 1.2 s']);
  expect(usageLine({ ...usage, counted_by: 'estimate', queue_ms: 4000, cost: 0.0123 })).toEqual([
    'about 1 token',
    '8.3 tokens/s',
    'first after 1.2 s',
    '4.0 s in line',
    '$0.01',
  ]);
  expect([usageLine(null), usageLine({ ...usage, completion_tokens: 0, ttft_ms: null, tokens_per_s: null })]).toEqual([[], []]);
});

it('has the details, without what is not known', () => {
  const names = (change: Partial<Usage>) => usageDetails({ ...usage, ...change }).map(([name]) => name);
  expect(names({ ttft_ms: null, tokens_per_s: null })).toEqual(['Prompt', 'Answer', 'Counted']);
  expect(usageDetails({ ...usage, queue_ms: 0, prompt_ms: 90, cost: 0, attempts: 3 })).toEqual([
    ['Prompt', '1,200 tokens'],
    ['Answer', '1 token'],
    ['Counted', 'by the model’s server'],
    ['Speed of writing', '8.3 tokens/s'],
    ['Until the first token', '1.2 s'],
    ['Waiting in line', '0 ms'],
    ['Reading the prompt', '90 ms'],
    ['Cost', '$0'],
    ['Attempts', '3'],
  ]);
});

it('words times and money', () => {
  expect([12.4, 999, 61_000].map(duration)).toEqual(['12 ms', '999 ms', '1 min 1 s']);
  expect([0, 12.3, 0.004567, 0.00001234, 1e-9].map(money)).toEqual(['$0', '$12.30', '$0.0046', '$0.000012', 'under $0.000001']);
});
