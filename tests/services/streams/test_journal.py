"""The journal: on disk before anybody sees it, and read from anywhere."""

import asyncio
import json
import random
import sqlite3
from pathlib import Path

import pytest

from app.core.errors import AppError
from app.services.streams.base import HEARTBEAT, read_frames
from app.services.streams.journal import Journal, JournalWriter
from tests.services.streams.journals import (
    DONE,
    committed,
    everything,
    names,
    open_tail,
    push,
    rows,
    texts,
)


async def test_a_frame_is_on_disk_before_a_reader_has_it(journal: Journal, path: Path) -> None:
    writer = journal.open("a")
    push(writer, "0")
    seen = b""
    async for data in open_tail(journal, "a"):
        seen += data
        assert list(read_frames(seen)) == rows(path, "a")
        if writer.last < 20:
            push(writer, str(writer.last))
        elif writer.last == 20:
            writer.end(DONE, stored=True)
    assert texts(seen) == [str(n) for n in range(20)]


async def test_nothing_is_shown_before_the_commit(journal: Journal) -> None:
    writer = journal.open("a")
    push(writer, "x")
    waiting = asyncio.ensure_future(anext(open_tail(journal, "a")))
    push(writer, "y")
    await committed()
    assert texts(await waiting) == ["x", "y"]


async def test_all_runs_share_one_commit(journal: Journal, path: Path) -> None:
    writers = [journal.open(f"run{n}") for n in range(200)]
    for writer in writers:
        push(writer, "a", "b", "c")
    await anext(open_tail(journal, "run0"))
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*), count(DISTINCT run) FROM journal").fetchone() == (200, 200)
    other.close()


async def test_several_readers_at_several_places(journal: Journal) -> None:
    writer = journal.open("a")
    push(writer, "1", "2", "3")
    await committed()
    readers = [asyncio.create_task(everything(journal, "a", after)) for after in range(4)]
    for n in range(4, 30):
        push(writer, str(n))
        await asyncio.sleep(0)
    writer.end(DONE, stored=True)
    got = await asyncio.gather(*readers)
    assert [texts(data) for data in got] == [[str(n) for n in range(after + 1, 30)] for after in range(4)]
    assert all(data.count(b"event: done") == 1 for data in got)


@pytest.mark.parametrize("seed", range(30))
async def test_drops_and_resumes_lose_and_double_nothing(journal: Journal, seed: int) -> None:
    rng = random.Random(seed)
    runs = {f"run{n}": rng.randrange(1, 120) for n in range(4)}
    writing = [asyncio.create_task(write(rng, journal.open(run), count)) for run, count in runs.items()]
    readers = [asyncio.create_task(read_with_drops(rng, journal, run)) for run in runs for _ in range(3)]
    await asyncio.gather(*writing)
    for run, got in zip([run for run in runs for _ in range(3)], await asyncio.gather(*readers), strict=True):
        assert got == await everything(journal, run)
        assert texts(got) == [f"{n} " for n in range(runs[run])]


async def write(rng: random.Random, writer: JournalWriter, count: int) -> None:
    for n in range(count):
        push(writer, f"{n} ")
        for _ in range(rng.choice((0, 0, 1, 1, 2, 5))):
            await asyncio.sleep(0)
    writer.end(DONE, stored=True)


async def read_with_drops(rng: random.Random, journal: Journal, run: str) -> bytes:
    got, last = b"", 0
    while b"event: done" not in got:
        tail = open_tail(journal, run, last)
        async for data in tail:
            got += data
            last = max(frame.number for frame in read_frames(data))
            if rng.random() < 0.3:
                break
        await tail.aclose()  # type: ignore[attr-defined]
        for _ in range(rng.randrange(6)):
            await asyncio.sleep(0)
    return got


async def test_a_silent_run_says_that_it_lives(journal: Journal) -> None:
    writer, ended = journal.open("a"), journal.open("b")
    push(writer, "x")
    ended.end(DONE, stored=True)
    reader = open_tail(journal, "a")
    await anext(reader)
    waiting = asyncio.ensure_future(anext(reader))
    await committed()
    journal._heartbeat()
    assert await waiting == HEARTBEAT


async def test_an_unknown_run_has_no_tail(journal: Journal) -> None:
    assert journal.tail("nobody", 0) is None


async def test_a_restart_finds_what_was_left_behind(path: Path) -> None:
    first = Journal(path)
    for run in ("a", "b", "c"):
        writer = first.open(run)
        push(writer, run, "é\n\n")
        await committed()
        push(writer, "3")
    first.open("a").note(b'{"prompt":1}')
    await committed()
    await first.aclose()

    second = Journal(path)
    writer = second.open("new")
    push(writer, "new")
    await committed()
    found = second.left_behind(["a", "b", "new", "unknown"])
    assert set(found) == {"a", "b"}
    assert [(f.number, json.loads(f.data)["text"]) for f in found["a"].frames()] == [(1, "a"), (2, "é\n\n"), (3, "3")]
    assert (found["a"].note, found["b"].note) == (b'{"prompt":1}', None)
    assert second.tail("a", 0) is None
    second.forget_left_behind()
    assert names(path) == {"new"}
    assert second.left_behind(["a"]) == {}
    await second.aclose()


async def test_closing_shows_what_was_pushed(path: Path) -> None:
    journal = Journal(path)
    reader = asyncio.create_task(everything(journal, "a")) if journal.open("a") else None
    writer = JournalWriter(journal, journal._runs["a"])
    push(writer, "x")
    await journal.aclose()
    assert reader is not None
    assert texts(await reader) == ["x"]
    push(writer, "too late")
    await committed()
    with pytest.raises(AppError):
        push(writer, "too late")
