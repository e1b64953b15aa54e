"""Keeps the journal's write-ahead log short, off the event loop: a checkpoint waits for the disk."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from loguru import logger

CHECKPOINT: Final = "PRAGMA wal_checkpoint(PASSIVE)"
CHECKPOINT_S: Final = 1.0
MAX_LOG_PAGES: Final = 16_384  # of the write-ahead log: 64 MB


class Checkpoints:
    """Moves the write-ahead log into the file, once a second, in a thread with its own connection."""

    def __init__(self, path: Path, *, hold: Callable[[threading.Event], None], release: Callable[[], None]) -> None:
        self._path = path
        self._hold, self._release = hold, release
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-checkpoint", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None, timeout=5)
        while not self._stop.wait(CHECKPOINT_S):
            try:
                if db.execute(CHECKPOINT).fetchone()[1] > MAX_LOG_PAGES:
                    self._reset(db)
            except sqlite3.Error as error:  # the log grows meanwhile; a full disk shows in the next commit
                logger.warning("journal checkpoint failed: {}", error)
        db.close()

    def _reset(self, db: sqlite3.Connection) -> None:
        """Under steady load a checkpoint never meets the log's end, so the log would grow for ever: let writes wait."""
        held = threading.Event()
        self._loop.call_soon_threadsafe(self._hold, held)
        held.wait()
        try:
            db.execute(CHECKPOINT).fetchone()
        finally:
            self._loop.call_soon_threadsafe(self._release)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
