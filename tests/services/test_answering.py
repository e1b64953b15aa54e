"""An answer that waits for its reader: what it gives, when it says nothing, and how it ends."""

import asyncio
from uuid import UUID

import msgspec
import pytest

from app.core.enums import CountedBy
from app.core.errors import AppError, ModelUnavailable, UpstreamRefused, UpstreamUnavailable
from app.services.answering import MAX_UNREAD, Answering, Finished, Order, Spent
from app.services.llm.base import Delta, TokenUsage
from app.services.llm.pool import Pool
from app.services.llm.queue import Ticket
from app.services.meter import Meter
from tests.fakes.scripted import END, Scripted, Step
from tests.services.llm.sources import ASK, pool_of, source_of, terms

USER = UUID(int=7)


class Asked:
    """An answer of a scripted model, and what was recorded of it."""

    def __init__(self, *script: Step, heartbeat_s: float = 15, pool: Pool | None = None) -> None:
        self.spent: list[Spent] = []
        self.model = Scripted(list(script))
        pool = pool or pool_of(self.model)
        order = Order(USER, pool.default, ASK, prompt_tokens=9)
        meter = Meter(pool.default, None)
        self.answering = Answering(pool, order, meter, record=self.record, heartbeat_s=heartbeat_s)

    async def record(self, spent: Spent) -> None:
        self.spent.append(spent)

    async def all(self) -> list[Delta | Finished | None]:
        found = [await self.answering.read()]
        while not isinstance(found[-1], Finished):
            found.append(await self.answering.read())
        await self.answering.task
        return found


async def test_what_came_since_the_last_time_comes_as_one() -> None:
    call, logprob = msgspec.Raw(b'{"index":0}'), msgspec.Raw(b"{}")
    usage = TokenUsage(3, 4)
    deltas = [Delta("a"), Delta("b", tool_calls=(call,)), Delta(reasoning="r"), Delta("c", logprobs=(logprob,))]
    asked = Asked(*deltas, Delta(finish_reason="length", usage=usage))
    first, last = await asked.all()
    assert first == Delta("abc", "r", tool_calls=(call,), logprobs=(logprob,))
    assert isinstance(last, Finished)
    assert (last.finish_reason, last.tokens, last.usage.counted_by) == ("length", usage, CountedBy.PROVIDER)
    assert asked.spent == [Spent(USER, "scripted", None, usage, None, failed=False)]


async def test_without_a_count_of_the_provider_there_is_an_estimate() -> None:
    asked = Asked(Delta("a" * 40), END)
    await asked.all()
    assert asked.spent[0].tokens == TokenUsage(9, 11, counted_by=CountedBy.ESTIMATE)


async def test_silence_is_told() -> None:
    gate = asyncio.Event()
    asked = Asked(gate, Delta("a"), END, heartbeat_s=0.01)
    assert await asked.answering.read() is None
    assert await asked.answering.read() is None
    gate.set()
    assert next(s for s in await asked.all() if s is not None) == Delta("a")


async def test_a_place_in_the_queue_is_known() -> None:
    pool = Pool([source_of(Scripted([Delta("a"), END]), of=terms(max_concurrent=1))], default=None)
    async with pool.default.queue.turn(Ticket(USER), lambda _: None, timeout_s=5):
        asked = Asked(pool=pool, heartbeat_s=0.01)
        assert await asked.answering.read() is None
        assert asked.answering.position == 1
    assert isinstance((await asked.all())[-1], Finished)
    assert asked.answering.position is None


async def test_a_reader_that_does_not_read_ends_the_model() -> None:
    asked = Asked(*[Delta("x" * (MAX_UNREAD // 4))] * 6, 60.0)
    await asked.answering.task
    assert asked.model.closed == 1
    assert isinstance(await asked.answering.read(), Delta)
    with pytest.raises(AppError, match="is not read"):
        await asked.answering.read()


@pytest.mark.parametrize("error", [UpstreamRefused("no"), ValueError("a bug")], ids=["ours", "a bug"])
async def test_an_error_comes_after_what_was_written(error: Exception) -> None:
    asked = Asked(Delta("a"), error)
    assert await asked.answering.read() == Delta("a")
    with pytest.raises(AppError, match="no" if isinstance(error, AppError) else "inside the service"):
        await asked.answering.read()
    await asked.answering.task
    assert asked.spent[0].failed


async def test_a_client_that_leaves_closes_the_model_and_what_it_took_is_counted() -> None:
    asked = Asked(Delta("a" * 40), 60.0)
    await asked.answering.read()
    asked.answering.cancel()
    await asked.answering.task
    assert asked.model.closed == 1
    assert asked.spent == [
        Spent(USER, "scripted", None, TokenUsage(9, 11, counted_by=CountedBy.ESTIMATE), None, failed=False)
    ]


async def test_an_answer_can_be_ended_for_its_reader() -> None:
    asked = Asked(60.0)
    reading = asyncio.create_task(asked.answering.read())
    await asyncio.sleep(0)
    asked.answering.fail(ModelUnavailable("the service is restarting"))
    with pytest.raises(ModelUnavailable):
        await reading
    await asked.answering.task
    assert asked.model.closed <= 1


class Forgetful(Asked):
    async def record(self, spent: Spent) -> None:
        raise UpstreamUnavailable("the disk is full")


async def test_a_record_that_fails_spoils_nothing() -> None:
    assert isinstance((await Forgetful(Delta("a"), END).all())[-1], Finished)
