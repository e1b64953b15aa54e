"""What a user's page is told besides the text of answers: how files, jobs, models and conversations change.

Kept in memory for ten minutes. An event with a `subject` replaces the earlier one of the same subject, so a slow
reader gets the newest state and a reader that comes back misses no end state.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import islice
from uuid import UUID

import msgspec

from app.services.streams.base import HEARTBEAT_S

KEPT_MS = 600_000
MAX_KEPT = 500
MAX_USERS = 10_000

HEARTBEAT = b":\n\n"

Subject = tuple[str, str]


class ConversationChanged(msgspec.Struct, frozen=True):
    """The data of a `conversation` event. `change` is what happened: created, asked, renamed, changed, deleted."""

    id: UUID
    change: str


@dataclass(frozen=True, slots=True)
class _Event:
    id: int
    at_ms: int
    frame: bytes


@dataclass(slots=True)
class _Ring:
    """One user's events in order of their ids, and what wakes the readers."""

    events: OrderedDict[Subject, _Event] = field(default_factory=OrderedDict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    readers: int = 0


class UserEvents:
    """Publish to a user, tail a user. Ids grow over restarts, since they begin with the time in milliseconds."""

    def __init__(self) -> None:
        self._rings: OrderedDict[UUID, _Ring] = OrderedDict()
        self._last_id = 0
        self._open = True

    def publish(self, user_id: UUID, kind: str, data: bytes | msgspec.Struct, *, subject: str | None = None) -> None:
        """Tell all readers of a user. `data` is one JSON object; of one `subject` only the newest event is kept."""
        now_ms = time.time_ns() // 1_000_000
        self._last_id = max(self._last_id + 1, now_ms)
        body = data if isinstance(data, bytes) else msgspec.json.encode(data)
        frame = b"id: %d\nevent: %s\ndata: %s\n\n" % (self._last_id, kind.encode(), body)
        ring = self._rings.setdefault(user_id, _Ring())
        key = (kind, subject if subject is not None else str(self._last_id))
        ring.events.pop(key, None)
        ring.events[key] = _Event(self._last_id, now_ms, frame)
        self._forget(ring, now_ms)
        self._rings.move_to_end(user_id)
        self._forget_users(now_ms)
        news, ring.news = ring.news, asyncio.Event()
        news.set()

    async def tail(self, user_id: UUID, after: int | None) -> AsyncIterator[bytes]:
        """Frames ready to send: those kept after id `after` (None: only new ones), then new ones until `close`.

        A comment line every 15 s of silence.
        """
        ring = self._rings.setdefault(user_id, _Ring())
        ring.readers += 1
        seen = self._last_id if after is None else after
        try:
            while self._open:
                news = ring.news
                event = next((e for e in ring.events.values() if e.id > seen), None)
                if event is None:
                    if not await _woken(news):
                        yield HEARTBEAT
                    continue
                seen = event.id
                yield event.frame
        finally:
            ring.readers -= 1

    def close(self) -> None:
        """End all readers."""
        self._open = False
        for ring in self._rings.values():
            ring.news.set()

    def _forget(self, ring: _Ring, now_ms: int) -> None:
        while ring.events:
            oldest = next(iter(ring.events.values()))
            if len(ring.events) <= MAX_KEPT and oldest.at_ms > now_ms - KEPT_MS:
                return
            ring.events.popitem(last=False)

    def _forget_users(self, now_ms: int) -> None:
        """Drop the users who were told nothing for longest, once their events are old or there are too many."""
        for user_id in list(islice(self._rings, 2)):
            ring = self._rings[user_id]
            self._forget(ring, now_ms)
            if not ring.readers and (not ring.events or len(self._rings) > MAX_USERS):
                del self._rings[user_id]
            elif ring.readers:
                self._rings.move_to_end(user_id)


async def _woken(news: asyncio.Event) -> bool:
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            return await news.wait()
    except TimeoutError:
        return False
