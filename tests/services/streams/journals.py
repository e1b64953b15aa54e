"""What the journal's tests share."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

from app.core.enums import FinishReason
from app.schemas.chat import RunDone, TextDelta
from app.services.streams.base import StoredFrame, read_frames
from app.services.streams.journal import Journal, JournalWriter

DONE = RunDone(FinishReason.STOP, UUID(int=1))


def push(writer: JournalWriter, *texts: str) -> None:
    for text in texts:
        writer.push(TextDelta(text))


async def committed() -> None:
    """The flush is the next callback of the loop."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def rows(path: Path, run: str | None = None) -> list[StoredFrame]:
    """What another process would find in the file."""
    with sqlite3.connect(path) as other:
        blobs = other.execute("SELECT frames FROM journal WHERE ? IS NULL OR run = ? ORDER BY id", (run, run))
        found = [frame for (blob,) in blobs for frame in read_frames(blob)]
    other.close()
    return found


def open_tail(journal: Journal, run: str, after: int = 0) -> AsyncIterator[bytes]:
    tail = journal.tail(run, after)
    assert tail is not None
    return tail


async def everything(journal: Journal, run: str, after: int = 0) -> bytes:
    return b"".join([data async for data in open_tail(journal, run, after)])


def texts(data: bytes) -> list[str]:
    return [json.loads(frame.data)["text"] for frame in read_frames(data) if frame.kind == "delta"]


async def finish(journal: Journal, run: str, said: str = "x" * 50) -> None:
    writer = journal.open(run)
    push(writer, said)
    writer.end(DONE, stored=True)
    await committed()


def names(path: Path) -> set[str]:
    with sqlite3.connect(path) as other:
        found = {run for (run,) in other.execute("SELECT DISTINCT run FROM journal")}
    other.close()
    return found
