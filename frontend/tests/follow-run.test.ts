import { describe, expect, it } from 'vitest';
import { ApiError, unreachable } from '../src/api/errors';
import type { StreamEvent } from '../src/api/types';
import { followRun, type RunDoor } from '../src/chat/follow-run';
import { bodyOf, frame } from './streams';

const RUN = { run_id: 'r', conversation_id: 'c', user_message_id: 'u', message_id: 'm', model_source: 's', model: null };
const FRAMES = [
  frame(1, 'run', RUN),
  ...['a', 'b', 'c', 'd'].map((text, index) => frame(index + 2, 'delta', { text })),
  frame(6, 'done', { finish_reason: 'stop', message_id: 'm' }),
];

/** A server that keeps a run's frames and loses the connection after each number of frames in `drops`. */
function server(drops: number[], frames = FRAMES): RunDoor & { asked: string[] } {
  const asked: string[] = [];
  const answer = (after: string, from: number) => {
    asked.push(after);
    const drop = drops.shift();
    const left = frames.slice(from);
    return Promise.resolve(new Response(bodyOf((drop === undefined ? left : left.slice(0, drop)).join(''), 7, drop !== undefined)));
  };
  return {
    asked,
    start: () => answer('start', 0),
    resume: (run, after) => answer(`${run} ${after}`, Number(after || 0)),
  };
}

async function follow(door: RunDoor, runId?: string) {
  const events: StreamEvent[] = [];
  const connection: string[] = [];
  await followRun(door, {
    apply: (event) => events.push(event),
    connection: (state) => connection.push(state),
    signal: new AbortController().signal,
    pause: () => Promise.resolve(),
    runId,
  });
  const text = events.map((e) => (e.event === 'delta' ? e.data.text : '')).join('');
  return { events, text, connection };
}

describe('followRun', () => {
  it('reads a run to its end', async () => {
    const { text, events } = await follow(server([]));
    expect([text, events.at(-1)!.event, events.length]).toEqual(['abcd', 'done', 6]);
  });

  it('goes on at the next event after each lost connection', async () => {
    const door = server([2, 1, 0, 2]);
    const { text, events, connection } = await follow(door);
    expect([text, events.length]).toEqual(['abcd', 6]);
    expect(door.asked).toEqual(['start', 'r 2', 'r 3', 'r 3', 'r 5']);
    expect(connection).toContain('lost');
    expect(connection.at(-1)).toBe('ok');
  });

  it('takes up a run that somebody else started', async () => {
    const door = server([3]);
    expect((await follow(door, 'r')).text).toBe('abcd');
    expect(door.asked).toEqual(['r ', 'r 3']);
  });

  it('asks again with the same request when the connection is lost before the run is known', async () => {
    const door = server([0]);
    expect((await follow(door)).text).toBe('abcd');
    expect(door.asked).toEqual(['start', 'start']);
  });

  it('never doubles an event that the server sends twice', async () => {
    const door = server([], [...FRAMES.slice(0, 3), ...FRAMES]);
    expect((await follow(door)).text).toBe('abcd');
  });

  it('gives up at once when the server refuses the question', async () => {
    let tries = 0;
    const refused = () => (tries++, Promise.reject(new ApiError(422, 'validation_error', 'no')));
    await expect(follow({ start: refused, resume: refused })).rejects.toMatchObject({ status: 422 });
    expect(tries).toBe(1);
  });

  it('gives up after some tries when there is no server', async () => {
    let tries = 0;
    const down = () => (tries++, Promise.reject(unreachable()));
    await expect(follow({ start: down, resume: down })).rejects.toMatchObject({ code: 'unreachable' });
    expect(tries).toBe(4);
  });

  it('never gives up a run that is known, unless it is gone', async () => {
    const answers = [...Array<Error>(20).fill(unreachable()), new ApiError(503, 'x', 'busy'), new ApiError(404, 'not_found', 'gone')];
    const resume = () => Promise.reject(answers.shift()!);
    await expect(follow({ resume }, 'r')).rejects.toMatchObject({ status: 404 });
    expect(answers).toEqual([]);
  });

  it('ends when it is aborted', async () => {
    const control = new AbortController();
    setTimeout(() => control.abort());
    const door: RunDoor = { resume: (_, __, signal) => aborted(signal) };
    const done = followRun(door, { apply: () => undefined, signal: control.signal, runId: 'r' });
    await expect(done).rejects.toThrow('aborted');
  });
});

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
