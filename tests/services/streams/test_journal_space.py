"""The journal stays small, in memory and on disk, and is honest about a full disk."""

import asyncio
import json
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest

from app.core.errors import StorageFull
from app.services.streams import journal as journal_module
from app.services.streams.base import read_frames
from app.services.streams.journal import Journal, JournalWriter
from tests.services.streams.journals import (
    DONE,
    committed,
    everything,
    finish,
    names,
    open_tail,
    push,
    rows,
    texts,
)


async def test_rows_go_when_nobody_needs_them(journal: Journal, path: Path) -> None:
    """Those of a live run stay, and those of a run whose message could not be stored."""
    unstored, live = journal.open("unstored"), journal.open("live")
    push(unstored, "kept")
    unstored.end(DONE, stored=False)
    for n in range(50):
        await finish(journal, f"before{n}")
    push(live, "first")
    await committed()
    for n in range(50):
        await finish(journal, f"after{n}")
    for _ in range(200):
        push(live, ".")
        await asyncio.sleep(0.002)
        if len({run for run in names(path) if run.startswith("before")}) == 0:
            break
    left = names(path)
    assert {run for run in left if run.startswith("before")} == set()
    assert {"unstored", "live"} <= left
    assert rows(path, "live")[0].data == b'{"text":"first"}'
    live.end(DONE, stored=True)
    for n in range(200):
        await finish(journal, f"last{n}")
        await asyncio.sleep(0.002)
        if len(names(path)) < 20:
            break
    assert "unstored" in names(path)
    assert len(names(path)) < 20


async def test_a_message_that_was_stored_later_needs_no_rows(journal: Journal, path: Path) -> None:
    writer = journal.open("a")
    writer.end(DONE, stored=False)
    await committed()
    writer.end(DONE, stored=True)
    for n in range(200):
        await finish(journal, f"b{n}")
        await asyncio.sleep(0.002)
        if "a" not in names(path):
            break
    assert "a" not in names(path)
    assert (await everything(journal, "a")).count(b"event: done") == 1


async def test_a_full_disk_ends_the_run_with_one_error(journal: Journal, path: Path) -> None:
    full, small = journal.open("full"), journal.open("small")
    push(full, "fits")
    push(small, "fits")
    await committed()
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages}")
    readers = [asyncio.create_task(everything(journal, "full")) for _ in range(2)]
    with pytest.raises(StorageFull):
        for _ in range(100):
            push(full, "x" * 3000, "y" * 3000)
            await asyncio.sleep(0)
    for got in await asyncio.gather(*readers):
        frames = list(read_frames(got))
        assert [f.kind for f in frames].count("error") == 1
        assert frames[-1].kind == "error"
        assert json.loads(frames[-1].data)["code"] == "storage_full"
        assert frames[:-1] == rows(path, "full")
        assert [f.number for f in frames] == list(range(1, len(frames) + 1))
    full.end(DONE, stored=True)  # the message was stored elsewhere: no second terminal event
    assert (await everything(journal, "full")).count(b"event: done") == 0

    journal._db.execute("PRAGMA max_page_count=1000000")
    late = journal.open("late")
    push(late, "room again")
    late.end(DONE, stored=True)
    assert texts(await everything(journal, "late")) == ["room again"]


async def test_a_note_on_a_full_disk(journal: Journal) -> None:
    writer = journal.open("a")
    pages = journal._db.execute("PRAGMA page_count").fetchone()[0]
    journal._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageFull):
        writer.note(b"x" * 100_000)


async def test_old_runs_leave_the_memory(journal: Journal) -> None:
    limit = journal_module.KEEP_FINISHED_BYTES
    reader = None
    for n in range(8):
        writer = journal.open(f"run{n}")
        push(writer, "x" * (limit // 6))
        writer.end(DONE, stored=True)
        if n == 0:
            reader = open_tail(journal, "run0")
            await anext(reader)
        else:
            await everything(journal, f"run{n}")
    assert journal.tail("run0", 0) is None
    assert journal.tail("run7", 0) is not None
    assert reader is not None
    assert sum([len(data) async for data in reader]) < 1000  # who was reading already goes on to the end
    for run in journal._finished:
        journal._finished[run] -= journal_module.KEEP_FINISHED_S + 1
    journal._heartbeat()
    assert journal.tail("run7", 0) is None
    assert journal._finished_bytes == 0


def resets(path: Path) -> int:
    """How often the write-ahead log was begun again: https://www.sqlite.org/fileformat2.html#walformat"""
    with path.with_name(path.name + "-wal").open("rb") as log:
        return int.from_bytes(log.read(16)[12:], "big")


async def test_the_log_is_reset_under_steady_load(journal: Journal, path: Path) -> None:
    """A checkpoint that runs beside the writer never meets the end of the write-ahead log."""
    await asyncio.to_thread(journal._checkpoints.close)  # only those of the test
    writer = journal.open("a")
    reader = asyncio.create_task(everything(journal, "a"))
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    await write_many(writer, 1000)
    before = resets(path)
    for number in range(1, 4):
        reset = asyncio.create_task(asyncio.to_thread(journal._checkpoints._reset, other))
        while not reset.done():
            await write_many(writer, 1)
        await write_many(writer, 400)
        assert resets(path) == before + number
    other.close()
    count = writer.last
    writer.end(DONE, stored=True)
    assert texts(await reader) == [f"{n} " for n in range(count)]


async def write_many(writer: JournalWriter, count: int) -> None:
    for _ in range(count):
        push(writer, f"{writer.last} ")
        await asyncio.sleep(0)


async def test_large_rows_go_in_small_slices(journal: Journal, path: Path) -> None:
    """To delete many at once would hold the event loop."""
    live = journal.open("live")
    push(live, "first")
    for n in range(60):
        await finish(journal, f"large{n}", "x" * 100_000)
    live.end(DONE, stored=True)
    left = [61]
    for n in range(300):
        await finish(journal, f"small{n}", "x")
        await asyncio.sleep(0.005)
        left.append(len([name for name in names(path) if name.startswith("large")]))
        if left[-1] == 0:
            break
    assert left[-1] == 0
    assert max(before - after for before, after in pairwise(left)) <= 12


async def test_a_file_that_was_large_shrinks_at_the_next_start(path: Path) -> None:
    journal = Journal(path)
    push(journal.open("live"), "first")  # it holds the rows of all
    for n in range(9):
        await finish(journal, f"large{n}", "x" * 10_000_000)
    await journal.aclose()
    assert size(path) > 64_000_000
    journal = Journal(path)
    journal.forget_left_behind()
    await journal.aclose()
    assert size(path) < 1_000_000


def size(path: Path) -> int:
    return path.stat().st_size
