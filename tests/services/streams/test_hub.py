"""Readers of a run in memory: from any frame on, any number of them, before and after its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.services.streams.base import HEARTBEAT
from app.services.streams.hub import RunFrames


def frame(number: int) -> bytes:
    return b"id: %d\nevent: delta\ndata: {}\n\n" % number


def blob(first: int, last: int) -> bytes:
    return b"".join(map(frame, range(first, last + 1)))


def run_of(*lasts: int) -> RunFrames:
    run = RunFrames("r")
    for first, last in zip((1, *(n + 1 for n in lasts)), lasts, strict=False):
        run.publish(last, blob(first, last))
    return run


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("lasts", [(1, 2, 3, 4), (4,), (2, 4), (1, 3, 4), (9, 11, 120)])
def test_after_any_number(lasts: tuple[int, ...], ended: bool) -> None:
    run = run_of(*lasts)
    if ended:
        run.finish()
    for number in range(lasts[-1] + 3):
        assert run.after(number) == blob(number + 1, lasts[-1])


async def test_what_piled_up_goes_out_as_one_write() -> None:
    run = run_of(2)
    reader = run.follow(0)
    assert await anext(reader) == blob(1, 2)
    run.publish(3, blob(3, 3))
    run.publish(5, blob(4, 5))
    assert await anext(reader) == blob(3, 5)


@pytest.mark.parametrize("position", range(5))
async def test_end_while_a_reader_is_in_the_middle(position: int) -> None:
    """`finish` joins the blobs under the reader's feet."""
    run = run_of(1)
    reader = run.follow(0)
    got = await anext(reader)
    for number in range(2, 6):
        run.publish(number, frame(number))
        if number - 2 < position:
            got += await anext(reader)
    run.finish()
    assert got + b"".join([data async for data in reader]) == blob(1, 5)


async def test_end_while_readers_wait() -> None:
    run = run_of(1)
    readers = [asyncio.create_task(everything(run.follow(n))) for n in (0, 0, 1)]
    await asyncio.sleep(0)
    run.publish(2, frame(2))
    run.finish()
    assert await asyncio.gather(*readers) == [blob(1, 2), blob(1, 2), blob(2, 2)]
    assert await everything(run.follow(1)) == frame(2)
    assert await everything(run.follow(2)) == b""
    assert await everything(run.follow(99)) == b""


async def test_an_end_without_frames() -> None:
    run = RunFrames("r")
    reader = asyncio.create_task(everything(run.follow(0)))
    await asyncio.sleep(0)
    run.finish()
    assert await reader == b""


async def test_a_wake_up_without_news_is_a_heartbeat() -> None:
    run = run_of(1)
    reader = run.follow(1)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    run.wake()
    assert await waiting == HEARTBEAT
    run.publish(2, frame(2))
    assert await anext(reader) == frame(2)


async def test_a_reader_that_leaves_harms_nobody() -> None:
    run = run_of(1)
    leaving, staying = (asyncio.create_task(everything(run.follow(1))) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    run.publish(2, frame(2))
    run.finish()
    assert await staying == frame(2)
    assert run.waiters == []


async def everything(reader: AsyncIterator[bytes]) -> bytes:
    return b"".join([data async for data in reader])
