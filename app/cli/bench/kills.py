"""Kills the service again and again while it reads files: each must end ready, whole, and nothing of it twice."""

import asyncio
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import UUID

from app.cli.bench import documents, subject
from app.cli.bench.ingest import send
from app.cli.bench.machine import tree
from app.cli.bench.subject import Service
from app.cli.bench.table import Table
from app.core.enums import FileStatus
from app.core.errors import CannotStart
from app.rag.vectors import ChromaProcess

PAGES: Final = 20  # more than one batch
STEPS: Final = (FileStatus.PARSING, FileStatus.EMBEDDING, FileStatus.INDEXING, FileStatus.STORED)
MOST_S: Final = 0.1  # that the service lives after a file has come to a step
AT_ONCE: Final = {FileStatus.INDEXING}  # over in some milliseconds
STEP_TIMEOUT_S: Final = 20.0
STEP_POLL_S: Final = 0.0005
END_TIMEOUT_S: Final = 1800.0
POLL_S: Final = 0.2
SEED: Final = 20
COUNTS: Final = """
    SELECT name, status, attempt, pages_done, chunks_total, id, user_id, error,
        (SELECT count(*) FROM file_pages WHERE file_id = files.id),
        (SELECT count(*) FROM chunks WHERE file_id = files.id),
        (SELECT count(DISTINCT char_from) FROM chunks WHERE file_id = files.id),
        (SELECT count(*) FROM chunks JOIN chunks_fts ON chunks_fts.rowid = chunks.id WHERE chunks.file_id = files.id)
    FROM files ORDER BY created_at
"""
COLUMNS: Final = ["file", "status", "attempt", "pages", "passages", "rows", "distinct", "indexed", "vectors"]
Say = Callable[[str], None]


async def kills(number: int, say: Say) -> list[Table]:
    """Two tables: at which steps it was killed, and what there is of each file in the end.

    Each start gets a new document, and is killed shortly after some file has come to the step whose turn it is.
    """
    chance = random.Random(SEED)  # noqa: S311
    struck: Counter[str] = Counter()
    with subject.folder() as where:
        for kill in range(number):
            step = STEPS[kill % len(STEPS)]
            say(f"kill {kill + 1} of {number}, at {step}")
            with subject.service(where) as service:
                service.wait_healthy()
                service.sign_in()
                await send(service, f"file-{kill}.pdf", documents.pdf(PAGES, seed=kill))
                await _until(where, step)
                await asyncio.sleep(0 if step in AT_ONCE else chance.uniform(0, MOST_S))
                _kill(service)
            struck.update({found for found in _steps(where) if not FileStatus(found).is_final})
        say("the last start: until every file has ended")
        with subject.service(where) as service:
            service.wait_healthy()
            await _until_ended(where)
        table = await _counted(where)
    steps = Table(f"Steps at which files were when {number} kills struck", ["step", "kills"])
    steps.rows += sorted(struck.items())
    return [steps, table]


async def _until(where: Path, step: FileStatus) -> None:
    """A step that is over in a moment may be missed: then the kill comes at another."""
    deadline = time.monotonic() + STEP_TIMEOUT_S
    with closing(sqlite3.connect(where / "data" / "rows.db")) as rows:
        while time.monotonic() < deadline:
            if rows.execute("SELECT 1 FROM files WHERE status = ?", [step]).fetchone():
                return
            await asyncio.sleep(STEP_POLL_S)


def _kill(service: Service) -> None:
    """The whole tree at once, as when the machine loses its power."""
    for pid in tree(service.pid):
        subject.kill(pid)


def _steps(where: Path) -> list[str]:
    with closing(sqlite3.connect(where / "data" / "rows.db")) as rows:
        return [status for (status,) in rows.execute("SELECT status FROM files")]


async def _until_ended(where: Path) -> None:
    """Raises CannotStart when that takes too long."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while not all(FileStatus(step).is_final for step in _steps(where)):
        if time.monotonic() > deadline:
            raise CannotStart(f"after {END_TIMEOUT_S:g} seconds the files are {', '.join(_steps(where))}")
        await asyncio.sleep(POLL_S)


async def _counted(where: Path) -> Table:
    table = Table("What there is of each file in the end", COLUMNS)
    with closing(sqlite3.connect(where / "data" / "rows.db")) as rows:
        found = rows.execute(COUNTS).fetchall()
    store = ChromaProcess(where / "data" / "vectors", prefix="documents")
    try:
        for name, status, attempt, pages, total, file_id, owner, error, *counts in found:
            vectors = await store.count(UUID(owner), UUID(file_id))
            table.rows.append([name, status, attempt, pages, total, *counts[1:], vectors])
            if status != FileStatus.READY or pages != PAGES or counts[0] != PAGES:
                table.faults.append(f"{name} is {status} with {counts[0]} of {PAGES} pages: {error}")
            if {*counts[1:], vectors} != {total}:
                table.faults.append(f"{name} has {total} passages, but {counts[1:]} rows and {vectors} vectors")
    finally:
        await store.aclose()
    blobs = {path.name for path in (where / "data" / "files").rglob("*") if path.is_file()}
    if blobs != {str(UUID(row[5])) for row in found}:
        table.faults.append(f"{len(blobs)} stored files for {len(found)} rows")
    return table
