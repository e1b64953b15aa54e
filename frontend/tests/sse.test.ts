import { expect, it } from 'vitest';
import { serverEvents } from '../src/api/sse';
import { bodyOf } from './streams';

const TEXT =
  ': hello\n\nid: 1\nevent: sources\ndata: [1]\n\n: keep-alive\n\nid:2\ndata: {"t":"é"}\n\ndata: a\ndata: b\r\n\r\nevent: cut off';

it.each([1, 2, 5, 1000])('reads events whatever the cuts (%i bytes)', async (step) => {
  const found = [];
  for await (const event of serverEvents(bodyOf(TEXT, step))) found.push(event);
  expect(found).toEqual([
    { id: '1', event: 'sources', data: '[1]' },
    { id: '2', event: 'message', data: '{"t":"é"}' },
    { id: '', event: 'message', data: 'a\nb' },
  ]);
});

it('tells of every read, comments included', async () => {
  let reads = 0;
  for await (const event of serverEvents(bodyOf(': keep-alive\n\n', 1000), () => reads++)) throw new Error(event.data);
  expect(reads).toBeGreaterThan(0);
});
