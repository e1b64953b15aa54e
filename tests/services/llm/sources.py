"""Sources of scripted models, and a sink that remembers."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from app.schemas.chat import StatusChanged
from app.services.llm.base import Delta, Generation, Turn
from app.services.llm.deadlines import Deadlines
from app.services.llm.pool import Pool
from app.services.llm.queue import Ticket
from app.services.llm.source import Address, Source, Terms
from tests.fakes.scripted import Scripted

ASK = Generation([Turn("user", "hello")])
TICKET = Ticket(UUID(int=1))


async def until(condition: Callable[[], bool]) -> None:
    """Wait, for a bounded time, for something that happens in another task."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it did not happen")


class Heard:
    """Implements Sink."""

    def __init__(self, on_delta: Callable[[], None] | None = None) -> None:
        self.text = ""
        self.finished = 0
        self.statuses: list[StatusChanged] = []
        self.asked: list[str] = []
        self._on_delta = on_delta

    def delta(self, delta: Delta) -> None:
        self.text += delta.text
        self.finished += delta.finish_reason is not None
        if self._on_delta:
            self._on_delta()

    def status(self, event: StatusChanged) -> None:
        self.statuses.append(event)

    def begun(self, source: Source, model: str | None) -> None:
        self.asked.append(source.name if model is None else f"{source.name}/{model}")


def terms(*, first: float = 5, idle: float = 5, total: float = 5, **changes: object) -> Terms:
    given: dict[str, object] = {"deadlines": Deadlines(first, idle, total), "max_concurrent": 1000, **changes}
    return Terms(**given)  # type: ignore[arg-type]


def source_of(*providers: Scripted, of: Terms | None = None) -> Source:
    """One source; each provider is an address of it."""
    return Source([Address(f"address {n}", p) for n, p in enumerate(providers, 1)], of or terms())


def pool_of(*providers: Scripted, first: float = 5, idle: float = 5, total: float = 5) -> Pool:
    """Each provider is a source."""
    limits = terms(first=first, idle=idle, total=total)
    return Pool([source_of(p, of=limits) for p in providers], default=None)
