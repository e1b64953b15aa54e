"""The embedded token log: a SQLite journal with group commit before emit, and an in-memory hub.

Whatever all runs pushed since the last commit goes to disk as one transaction on the event loop (a commit costs
13 us and its rows; a thread hop costs more) and is shown to readers after it. WAL with `synchronous=NORMAL`
survives a kill of the process; the checkpoint, the only fsync, runs in a thread. The file is this module's own.
"""

import asyncio
import json
import sqlite3
import threading
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Collection, Mapping
from pathlib import Path
from typing import Final

from app.core.errors import AppError, Internal, StorageFull
from app.schemas.chat import Event, RunFailed
from app.services.streams.base import HEARTBEAT_S, LeftBehind, frame
from app.services.streams.checkpoints import Checkpoints
from app.services.streams.hub import RunFrames

Row = tuple[int, str, int, int, bytes]  # id, run, first and last frame, frames

SCHEMA: Final = "CREATE TABLE IF NOT EXISTS journal(id INTEGER PRIMARY KEY, run TEXT, first INT, last INT, frames BLOB)"
INSERT: Final = "INSERT INTO journal VALUES(?,?,?,?,?)"
LEFT_BEHIND: Final = """
SELECT run, last, frames FROM journal WHERE id <= ? AND run IN (SELECT value FROM json_each(?)) ORDER BY id
"""
MAX_FREE_PAGES: Final = 16_384  # 64 MB
NOTE: Final = 0  # stands for the numbers of a row that holds no frames
TRIM_EVERY_S: Final = 0.02
TRIM_ROWS: Final = 1000
TRIM_BYTES: Final = 1 << 20  # SQLite frees the pages of a large row one by one: 4 to 9 ms a megabyte
KEEP_FINISHED_S: Final = 600.0
KEEP_FINISHED_BYTES: Final = 64 << 20


class Journal:
    """Implements StreamLog. Everything but the checkpoint runs on the event loop."""

    def __init__(self, path: Path) -> None:
        self._db = _connect(path)
        self._db.execute(SCHEMA)
        self._row: int = self._db.execute("SELECT coalesce(max(id), 0) FROM journal").fetchone()[0]
        self._left_behind_to = self._row
        self._trimmed = self._row  # rows up to this one are gone, those of kept runs aside
        self._slices: deque[int] = deque()  # the last rows of slices that may be deleted at once
        self._slice_from, self._slice_bytes = self._row, 0
        self._trim_at = 0.0
        self._dirty: list[RunFrames] = []
        self._first_rows: dict[str, int] = {}  # runs that still need their rows, oldest first
        self._kept: set[str] = set()  # ended, but their message could not be stored: rows wait for the next start
        self._runs: dict[str, RunFrames] = {}
        self._finished: OrderedDict[str, float] = OrderedDict()
        self._finished_bytes = 0
        self._flushing = self._held = False
        self._loop = asyncio.get_running_loop()
        self._checkpoints = Checkpoints(path, hold=self.hold, release=self.release)
        self._beat = self._loop.call_later(HEARTBEAT_S, self._heartbeat)

    def open(self, run_id: str) -> "JournalWriter":
        run = self._runs[run_id] = RunFrames(run_id)
        return JournalWriter(self, run)

    def tail(self, run_id: str, after: int) -> AsyncIterator[bytes] | None:
        run = self._runs.get(run_id)
        return None if run is None else run.follow(after)

    def left_behind(self, run_ids: Collection[str]) -> Mapping[str, LeftBehind]:
        found: dict[str, LeftBehind] = {}
        wanted = json.dumps(list(run_ids))
        for run_id, last, data in self._db.execute(LEFT_BEHIND, (self._left_behind_to, wanted)):
            run = found.setdefault(run_id, LeftBehind())
            if last == NOTE:
                run.note = data
            else:
                run.blobs.append(data)
        return found

    def forget_left_behind(self) -> None:
        self._db.execute("DELETE FROM journal WHERE id <= ?", (self._left_behind_to,))
        if self._db.execute("PRAGMA freelist_count").fetchone()[0] > MAX_FREE_PAGES:
            self._db.execute("VACUUM")

    async def ping(self) -> str:
        try:
            self._db.execute("SELECT 1 FROM journal LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise _storage_error(error) from error
        return "SQLite journal"

    async def aclose(self) -> None:
        self._beat.cancel()
        await asyncio.to_thread(self._checkpoints.close)
        self._flush()
        for run in self._runs.values():
            run.finish()
        self._db.close()

    def push(self, run: RunFrames, event: Event) -> None:
        """Number a frame and have it committed with the next group."""
        if not run.pending:
            self._dirty.append(run)
        run.last += 1
        run.pending.append(frame(run.last, event))
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def note(self, run: RunFrames, data: bytes) -> None:
        self._row += 1
        self._first_rows.setdefault(run.run_id, self._row)
        try:
            self._db.execute(INSERT, (self._row, run.run_id, NOTE, NOTE, data))
        except sqlite3.Error as error:
            raise _storage_error(error) from error

    def keep(self, run: RunFrames, *, stored: bool) -> None:
        """Whether the rows of a run that ends must outlive this process."""
        if stored and run.run_id in self._kept:
            self._kept.discard(run.run_id)
            self._trimmed = self._left_behind_to  # what was passed over goes now
        elif not stored:
            self._kept.add(run.run_id)

    def hold(self, held: threading.Event) -> None:
        """Commit nothing until `release`."""
        self._flushing = self._held = True
        held.set()

    def release(self) -> None:
        self._held = False
        self._flush()

    def _flush(self) -> None:
        """Commit everything pending of all runs as one transaction, then show it."""
        if self._held:
            return
        self._flushing = False
        runs, self._dirty = self._dirty, []
        if not runs:
            return
        rows: list[Row] = []
        for run in runs:
            frames, run.pending = run.pending, []
            self._row += 1
            blob = frames[0] if len(frames) == 1 else b"".join(frames)
            rows.append((self._row, run.run_id, run.last - len(frames) + 1, run.last, blob))
            if run.run_id not in self._first_rows:
                self._first_rows[run.run_id] = self._row
        try:
            self._commit(rows)
        except sqlite3.Error as error:
            for run, row in zip(runs, rows, strict=True):
                self._fail(run, row, _storage_error(error))
        else:
            self._measure(rows)
            for run, row in zip(runs, rows, strict=True):
                run.publish(row[3], row[4])
                if run.ending:
                    self._finish(run)

    def _commit(self, rows: list[Row]) -> None:
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(INSERT, rows)
            self._trim()
            execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                execute("ROLLBACK")
            raise

    def _trim(self) -> None:
        """Delete a slice of rows that no run needs; a large DELETE would hold the event loop."""
        now = self._loop.time()
        low = next(iter(self._first_rows.values()), self._row + 1)
        if now < self._trim_at or self._trimmed >= low - 1:
            return
        self._trim_at = now + TRIM_EVERY_S
        done, self._trimmed = self._trimmed, min(low - 1, self._slices[0] if self._slices else self._row)
        if self._slices and self._trimmed == self._slices[0]:
            self._slices.popleft()
        marks = ",".join("?" * len(self._kept))
        delete = f"DELETE FROM journal WHERE id > ? AND id <= ? AND run NOT IN ({marks})"  # noqa: S608
        self._db.execute(delete, (done, self._trimmed, *self._kept))

    def _measure(self, rows: list[Row]) -> None:
        for row in rows:
            self._slice_bytes += len(row[4])
            if self._slice_bytes > TRIM_BYTES or row[0] - self._slice_from > TRIM_ROWS:
                self._slices.append(row[0])
                self._slice_from, self._slice_bytes = row[0], 0

    def _fail(self, run: RunFrames, row: Row, error: AppError) -> None:
        """What is not on disk is never shown: the run ends here, with an error that only lives in memory."""
        failure = RunFailed(code=error.code, message=error.message, retryable=error.retryable, request_id="")
        run.last = row[2]
        run.publish(row[2], frame(row[2], failure))
        run.failure = error
        self._kept.add(run.run_id)
        self._finish(run)

    def _finish(self, run: RunFrames) -> None:
        run.finish()
        self._first_rows.pop(run.run_id, None)
        self._finished[run.run_id] = self._loop.time()
        self._finished_bytes += run.size_bytes
        while self._finished_bytes > KEEP_FINISHED_BYTES:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        run_id, _ = self._finished.popitem(last=False)
        self._finished_bytes -= self._runs.pop(run_id).size_bytes

    def _heartbeat(self) -> None:
        self._beat = self._loop.call_later(HEARTBEAT_S, self._heartbeat)
        for run_id in self._first_rows:
            self._runs[run_id].wake()
        while self._finished and next(iter(self._finished.values())) < self._loop.time() - KEEP_FINISHED_S:
            self._drop_oldest()


class JournalWriter:
    """Implements StreamWriter for one run of the journal."""

    __slots__ = ("_journal", "_run")

    def __init__(self, journal: Journal, run: RunFrames) -> None:
        self._journal, self._run = journal, run

    @property
    def last(self) -> int:
        return self._run.last

    def push(self, event: Event) -> None:
        if self._run.failure is not None:
            raise self._run.failure
        self._journal.push(self._run, event)

    def note(self, data: bytes) -> None:
        if self._run.failure is not None:
            raise self._run.failure
        self._journal.note(self._run, data)

    def end(self, event: Event, *, stored: bool) -> None:
        self._journal.keep(self._run, stored=stored)
        if self._run.ended or self._run.ending:
            return
        self._run.ending = True
        self._journal.push(self._run, event)

    def stored(self) -> None:
        self._journal.keep(self._run, stored=True)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "wal_autocheckpoint=0"):
        db.execute(f"PRAGMA {pragma}")
    return db


def _storage_error(error: sqlite3.Error) -> AppError:
    if getattr(error, "sqlite_errorname", "") in {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"}:
        return StorageFull("the disk is full, so the answer could not be kept; free some space and ask again")
    return Internal(f"the answer could not be stored: {error}")
