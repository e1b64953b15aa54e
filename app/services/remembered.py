"""Rows that nearly every request asks for, remembered for a few seconds where that is safe."""

from collections.abc import Hashable
from time import monotonic
from typing import Final, Generic, TypeVar

from app.db.session import Database, Work

KEPT_S: Final = 5.0
MAX_KEPT: Final = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """With SQLite one process owns the rows and hears of every change: it looks each one up every few seconds, and at
    once after `forget`. With PostgreSQL another replica may have changed them, so they are looked up each time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._rows: dict[K, tuple[V, float]] = {}
        self._changes = 0

    def get(self, key: K) -> V | None:
        found = self._rows.get(key)
        return found[0] if found is not None and found[1] > monotonic() else None

    async def read(self, key: K, work: Work[V | None]) -> V | None:
        """Look it up. What is not there is not remembered."""
        changes = self._changes
        row = await self._db.query(work)
        if row is not None and self._db.is_sqlite and changes == self._changes:  # else it may have changed since
            if len(self._rows) >= MAX_KEPT:
                self._rows.clear()
            self._rows[key] = (row, monotonic() + KEPT_S)
        return row

    def forget(self, key: K | None = None) -> None:
        """Look this one up again, or every one. Call it when the change is committed."""
        self._changes += 1
        if key is None:
            self._rows.clear()
        else:
            self._rows.pop(key, None)
