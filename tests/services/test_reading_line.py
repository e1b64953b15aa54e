"""One file is read at a time, and nobody waits long for a slow one."""

import asyncio
from asyncio import Event
from contextlib import suppress

from app.services.reading_line import ReadingLine

NEVER_S = 600


class File:
    """Is read until it is told to end."""

    def __init__(self, line: ReadingLine) -> None:
        self.began, self.ended = Event(), Event()
        self.task = asyncio.create_task(self._read(line))

    async def _read(self, line: ReadingLine) -> None:
        async with line.turn():
            self.began.set()
            await self.ended.wait()

    async def end(self) -> None:
        self.ended.set()
        await self.task

    async def cancel(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_files_are_read_one_after_another_in_their_order() -> None:
    line = ReadingLine(NEVER_S)
    files = [File(line) for _ in range(3)]
    for number, file in enumerate(files):
        await settled()
        assert [f.began.is_set() for f in files] == [n <= number for n in range(3)]
        await file.end()


async def test_a_slow_file_steps_aside_and_a_second_one_waits_for_it() -> None:
    line = ReadingLine(0.01)
    scan, second, third = (File(line) for _ in range(3))
    await asyncio.wait_for(second.began.wait(), 10)
    await asyncio.sleep(0.05)
    assert not third.began.is_set()
    await scan.end()  # the second steps aside now
    await asyncio.wait_for(third.began.wait(), 10)
    await third.end()
    await second.end()


async def test_whoever_is_cancelled_leaves_his_place() -> None:
    """In the line, at work, aside, and while he waits to step aside."""
    line = ReadingLine(0.01)
    aside, at_work, waiting = (File(line) for _ in range(3))
    await asyncio.wait_for(at_work.began.wait(), 10)
    await asyncio.sleep(0.05)  # it waits to step aside
    await waiting.cancel()
    await at_work.cancel()
    after = File(line)
    await asyncio.wait_for(after.began.wait(), 10)
    await after.end()
    await aside.cancel()
    first, second = File(line), File(line)
    await asyncio.wait_for(second.began.wait(), 10)
    await first.end()
    await second.end()


async def test_a_step_that_was_cancelled_from_outside_leaves_the_line_whole() -> None:
    """The end of a loop cancels every task."""
    line = ReadingLine(NEVER_S)
    before = asyncio.all_tasks()
    file = File(line)
    await settled()
    for task in asyncio.all_tasks() - before - {file.task}:
        task.cancel()
    await settled()
    await file.end()
    after = File(line)
    await settled()
    assert after.began.is_set()
    await after.end()
