"""Who is served next when a source is busy: chat before pipelines before titles, and users in turn."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final
from uuid import UUID

from app.core.errors import ModelUnavailable

TELL_EVERY_S: Final = 0.25
RETRY_AFTER_S: Final = 10.0


class Urgency(IntEnum):
    """Smaller is served first."""

    CHAT = 0
    PIPELINE = 1
    TITLE = 2


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who asks, and how urgent it is."""

    user_id: UUID
    urgency: Urgency = Urgency.CHAT


Told = Callable[[int], None]


@dataclass(slots=True, eq=False)
class _Waiter:
    ticket: Ticket
    tell: Told
    granted: asyncio.Future[None]
    position: int = 0
    called: bool = False


@dataclass(slots=True)
class _Line:
    """Those of one urgency. The user who stands first is served next, and then stands last."""

    users: OrderedDict[UUID, deque[_Waiter]] = field(default_factory=OrderedDict)

    def push(self, waiter: _Waiter) -> None:
        self.users.setdefault(waiter.ticket.user_id, deque()).append(waiter)

    def pop(self) -> _Waiter:
        user_id, waiting = next(iter(self.users.items()))
        waiter = waiting.popleft()
        self.users.move_to_end(user_id)
        if not waiting:
            del self.users[user_id]
        return waiter

    def remove(self, waiter: _Waiter) -> None:
        waiting = self.users[waiter.ticket.user_id]
        waiting.remove(waiter)
        if not waiting:
            del self.users[waiter.ticket.user_id]

    def in_order(self) -> Iterator[_Waiter]:
        rounds = max(map(len, self.users.values()), default=0)
        for number in range(rounds):
            yield from (waiting[number] for waiting in self.users.values() if number < len(waiting))


class FairQueue:
    """At most `limit` turns at once, and at most `max_waiting` who wait for theirs."""

    def __init__(self, limit: int, *, max_waiting: int) -> None:
        self.limit, self.max_waiting = limit, max_waiting
        self.running = self.waiting = 0
        self._lines = {urgency: _Line() for urgency in Urgency}
        self._telling: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self, ticket: Ticket, tell: Told, *, timeout_s: float) -> AsyncIterator[None]:
        """Wait, hearing one's position from 1, and hold a turn. Raises ModelUnavailable: too many wait, or too long."""
        if self.running < self.limit and not self.waiting:
            self.running += 1
        else:
            await self._wait(ticket, tell, timeout_s)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, ticket: Ticket, tell: Told, timeout_s: float) -> None:
        if self.waiting >= self.max_waiting:
            raise ModelUnavailable(
                f"the model is busy and {self.waiting} requests wait already; try again shortly",
                retry_after_s=RETRY_AFTER_S,
            )
        waiter = _Waiter(ticket, tell, asyncio.get_running_loop().create_future())
        self._lines[ticket.urgency].push(waiter)
        self.waiting += 1
        self._tell_positions()
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.granted
        except (TimeoutError, asyncio.CancelledError) as error:
            self._leave(waiter)
            if isinstance(error, TimeoutError):
                raise ModelUnavailable(
                    f"the model was busy for {timeout_s:g} s; try again", retry_after_s=RETRY_AFTER_S
                ) from None
            raise

    def _leave(self, waiter: _Waiter) -> None:
        if waiter.called:
            if not waiter.granted.cancelled():
                self._release()  # it was called at the very moment it left
            return
        self._lines[waiter.ticket.urgency].remove(waiter)
        self.waiting -= 1
        self._tell_soon()

    def _release(self) -> None:
        """The turn goes to the next at once: nobody who comes now gets between."""
        for line in self._lines.values():
            while line.users:
                waiter = line.pop()
                waiter.called = True
                self.waiting -= 1
                if not waiter.granted.done():
                    waiter.granted.set_result(None)
                    self._tell_soon()
                    return
        self.running -= 1

    def _tell_soon(self) -> None:
        if self._telling is None and self.waiting:
            self._telling = asyncio.get_running_loop().call_later(TELL_EVERY_S, self._tell_positions)

    def _tell_positions(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        waiting = (waiter for line in self._lines.values() for waiter in line.in_order())
        for position, waiter in enumerate(waiting, 1):
            if waiter.position != position and not waiter.granted.done():
                waiter.position = position
                waiter.tell(position)
