"""Who is served next: urgency first, users in turn; everybody hears a place, nobody's turn is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.core.errors import ModelUnavailable
from app.services.llm.queue import FairQueue, Ticket, Urgency

ANN, BOB, CLEO = UUID(int=1), UUID(int=2), UUID(int=3)


class Line:
    """People who stand in a queue of one turn. `served` in the order of their turns; each leaves when told."""

    def __init__(self, limit: int = 1, *, max_waiting: int = 100) -> None:
        self.queue = FairQueue(limit, max_waiting=max_waiting)
        self.served: list[str] = []
        self.told: dict[str, list[int]] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._leave: dict[str, asyncio.Event] = {}

    def come(self, name: str, user: UUID, urgency: Urgency = Urgency.CHAT, *, timeout_s: float = 30) -> None:
        self.told[name], self._leave[name] = [], asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._stand(name, Ticket(user, urgency), timeout_s))

    async def _stand(self, name: str, ticket: Ticket, timeout_s: float) -> None:
        async with self.queue.turn(ticket, self.told[name].append, timeout_s=timeout_s):
            self.served.append(name)
            await self._leave[name].wait()

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await self.tasks[name]
        await settle()

    async def serve_all(self) -> list[str]:
        while self.served and (now := [n for n in self.served if not self.tasks[n].done()]):
            await self.leave(now[0])
        return self.served


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@asynccontextmanager
async def busy(*, max_waiting: int = 100) -> AsyncIterator[Line]:
    line = Line(max_waiting=max_waiting)
    line.come("first", CLEO)
    await settle()
    yield line
    await line.serve_all()
    assert (line.queue.running, line.queue.waiting) == (0, 0)


async def test_users_are_served_in_turn() -> None:
    async with busy() as line:
        for name in ("a1", "a2", "a3"):
            line.come(name, ANN)
        line.come("b1", BOB)
        await settle()
        assert await line.serve_all() == ["first", "a1", "b1", "a2", "a3"]


async def test_chat_before_pipelines_before_titles() -> None:
    async with busy() as line:
        line.come("title", ANN, Urgency.TITLE)
        line.come("pipeline", BOB, Urgency.PIPELINE)
        line.come("chat", CLEO)
        await settle()
        assert await line.serve_all() == ["first", "chat", "pipeline", "title"]


async def test_everybody_hears_their_place() -> None:
    async with busy() as line:
        for name, user in (("a1", ANN), ("a2", ANN), ("b1", BOB)):
            line.come(name, user)
            await settle()
        assert [line.told[n][-1] for n in ("a1", "b1", "a2")] == [1, 2, 3]
        await line.leave("first")
        for _ in range(100):
            if line.told["a2"][-1] == 2:
                break
            await asyncio.sleep(0.02)
        assert [line.told[n][-1] for n in ("b1", "a2")] == [1, 2]
        assert line.told["a1"] == [1]


async def test_who_leaves_the_queue_takes_nobodys_turn() -> None:
    async with busy() as line:
        line.come("a", ANN)
        line.come("b", BOB)
        await settle()
        line.tasks["a"].cancel()
        await settle()
        assert line.queue.waiting == 1
        assert await line.serve_all() == ["first", "b"]


async def test_who_is_called_and_cancelled_at_once_passes_the_turn_on() -> None:
    async with busy() as line:
        line.come("a", ANN)
        line.come("b", BOB)
        await settle()
        line._leave["first"].set()
        await asyncio.sleep(0)  # the first one leaves: the next is called, but has not run yet
        line.tasks["a"].cancel()
        await settle()
        assert line.served[-1] == "b"


async def test_the_next_starts_when_a_running_one_is_cancelled() -> None:
    async with busy() as line:
        line.come("a", ANN)
        await settle()
        line.tasks["first"].cancel()
        await settle()
        assert line.served == ["first", "a"]


async def test_a_newcomer_does_not_overtake() -> None:
    async with busy() as line:
        line.come("waiting", ANN)
        await settle()
        line._leave["first"].set()
        line.come("newcomer", BOB)
        await settle()
        assert line.served == ["first", "waiting"]


async def test_too_many_are_refused() -> None:
    async with busy(max_waiting=1) as line:
        line.come("a", ANN)
        await settle()
        with pytest.raises(ModelUnavailable, match="1 requests wait already") as caught:
            async with line.queue.turn(Ticket(BOB), print, timeout_s=1):
                pass
        assert caught.value.retry_after_s


async def test_nobody_waits_for_ever() -> None:
    async with busy() as line:
        line.come("a", ANN, timeout_s=0.01)
        with pytest.raises(ModelUnavailable, match=r"busy for 0\.01 s"):
            await line.tasks["a"]
        assert line.queue.waiting == 0


@pytest.mark.parametrize("limit", [1, 3, 50])
async def test_never_more_than_the_limit(limit: int) -> None:
    queue, most = FairQueue(limit, max_waiting=1000), 0

    async def work(number: int) -> None:
        nonlocal most
        async with queue.turn(Ticket(UUID(int=number % 7), Urgency(number % 3)), lambda _: None, timeout_s=30):
            most = max(most, queue.running)
            await asyncio.sleep(0.001 * (number % 5))

    tasks = [asyncio.create_task(work(number)) for number in range(300)]
    await asyncio.sleep(0.005)
    for task in tasks[::9]:
        task.cancel()
    await asyncio.wait(tasks)
    assert (most, queue.running, queue.waiting) == (limit, 0, 0)
