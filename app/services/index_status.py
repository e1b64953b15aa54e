"""How the search index is: asked by administrators, and told to them while a new one is built."""

import time
from typing import Final
from uuid import UUID

from app.core.enums import IndexState
from app.core.errors import ModelUnavailable
from app.core.settings import DocumentSettings
from app.crud import index as rows
from app.crud import users
from app.db.models import SearchIndex
from app.db.session import Database
from app.schemas.index import Condition, IndexOut, OneIndex
from app.services.indexing import Index
from app.services.streams.events import UserEvents

INTERVAL_S: Final = 0.5
SUBJECT: Final = "index"


class IndexStatus:
    """`tell` publishes it as a `job` event to administrators, and to who began it."""

    def __init__(self, db: Database, index: Index, events: UserEvents, rules: DocumentSettings) -> None:
        self.rules = rules
        self._db, self._index, self._events = db, index, events
        self._told_at = 0.0

    async def read(self) -> IndexOut:
        """Which index is searched, and how far the next one is."""
        async with self._db.read() as session:
            found = await rows.by_state(session, IndexState.CURRENT, IndexState.BUILDING, IndexState.FAILED)
            current = next((row for row in found if row.state == IndexState.CURRENT), None)
            target = next((row for row in found if row.state != IndexState.CURRENT), None)
            done = await rows.ready_done(session) if target is None else await rows.done(session, target.id)
        wanted = await self._wanted()
        return IndexOut(
            state=_condition(current, target, wanted),
            current=_shown(current),
            target=_shown(target),
            wanted=wanted,
            files_total=done.files_total,
            files_done=done.files_done,
            chunks_total=done.chunks_total,
            chunks_done=done.chunks_done,
            started_at=None if target is None else target.started_at,
            error=None if target is None else target.error,
        )

    async def tell(self, *, now: bool = False) -> None:
        """At most twice a second, unless it must be `now`, as for a change of state."""
        if not now and time.monotonic() - self._told_at < INTERVAL_S:
            return
        self._told_at = time.monotonic()
        state = await self.read()
        body = b'{"kind":"rebuild",' + state.model_dump_json().encode()[1:]
        for user_id in await self._audience():
            self._events.publish(user_id, "job", body, subject=SUBJECT)

    async def _audience(self) -> set[UUID]:
        async with self._db.read() as session:
            found = await rows.by_state(session, *IndexState)
        begun_by = {row.started_by for row in found[:1] if row.started_by is not None}
        return {*await self._db.query(users.admins), *begun_by}

    async def _wanted(self) -> str | None:
        """Without waiting for an embedder that is silent."""
        embedder = self._index.embedder
        if embedder is not None and embedder.fingerprint is None:
            return None
        try:
            return await self._index.wanted(self.rules)
        except ModelUnavailable:
            return None


def _condition(current: SearchIndex | None, target: SearchIndex | None, wanted: str | None) -> Condition:
    if target is not None:
        return "building" if target.state == IndexState.BUILDING else "failed"
    if current is None:
        return "empty"
    return "current" if wanted in {None, current.fingerprint} else "outdated"


def _shown(row: SearchIndex | None) -> OneIndex | None:
    return None if row is None else OneIndex(id=row.id, fingerprint=row.fingerprint)
