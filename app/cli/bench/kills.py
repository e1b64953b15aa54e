"""Kills the service again and again while it reads files: each must end ready, whole, and nothing of it twice."""

import asyncio
import random
import sqlite3
import time
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

FILES: Final = 6
PAGES: Final = 40
MOST_S: Final = 2.5  # that the service lives after its first healthy answer
END_TIMEOUT_S: Final = 600.0
POLL_S: Final = 0.1
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
    """Two tables: at which steps it was killed, and what there is of each file in the end."""
    chance = random.Random(SEED)  # noqa: S311
    struck: dict[str, int] = {}
    with subject.folder() as where:
        for kill in range(number + 1):
            with subject.service(where) as service:
                service.wait_healthy()
                service.sign_in()
                if kill == 0:
                    await _upload(service)
                if kill == number:
                    say("the last start: until every file has ended")
                    await _until_ended(where)
                    break
                await asyncio.sleep(chance.uniform(0, MOST_S))
                for step in _steps(where):
                    struck[step] = struck.get(step, 0) + 1
                _kill(service)
            if all(FileStatus(step).is_final for step in _steps(where)):
                say(f"every file had ended after {kill + 1} kills: six more")
                with subject.service(where) as service:
                    service.wait_healthy()
                    service.sign_in()
                    await _upload(service, seed=1000 * (kill + 1))
                    _kill(service)
        table = await _counted(where)
    steps = Table(f"Where {number} kills struck", ["step", "files at it, over all kills"])
    steps.rows += sorted(struck.items())
    return [steps, table]


async def _upload(service: Service, seed: int = 0) -> None:
    for one in range(FILES):
        await send(service, f"file-{seed + one}.pdf", documents.pdf(PAGES, seed=seed + one))


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
