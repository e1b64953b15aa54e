"""Several addresses, the circuit breaker, and what answers instead: all before the first token, all told."""

import asyncio

import pytest

from app.core.errors import ModelUnavailable, UpstreamError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.base import Delta, Generation, Turn
from app.services.llm.breaker import FAILURES, Breaker, BreakerState
from app.services.llm.pool import Pool
from app.services.llm.source import Source
from tests.fakes.scripted import END, Scripted
from tests.services.llm.sources import ASK, TICKET, Heard, source_of, terms, until

OK = [Delta("ok"), END]


def down(after_s: float | None = None) -> UpstreamUnavailable:
    return UpstreamUnavailable("down", retry_after_s=after_s)


def pool(*sources: Source) -> Pool:
    return Pool(list(sources), default=None)


async def ask(pool: Pool, request: Generation = ASK) -> Heard:
    heard = Heard()
    await pool.generate(pool.default, request, heard, TICKET)
    return heard


async def test_another_address_is_asked_at_once() -> None:
    bad, good = Scripted([down(60)]), Scripted(OK)
    asked = pool(source_of(bad, good))
    async with asyncio.timeout(1):
        for _ in range(4):
            assert (await ask(asked)).text == "ok"
    assert (len(bad.asked), len(good.asked)) == (1, 4)  # the bad one cools down


async def test_a_stalled_address_costs_one_deadline() -> None:
    stalled, good = Scripted([30.0]), Scripted(OK)
    heard = await ask(pool(source_of(stalled, good, of=terms(first=0.1))))
    assert heard.text == "ok"
    assert stalled.closed == 1
    assert [s.stage for s in heard.statuses] == ["retrying"]


async def test_the_least_busy_address_is_asked() -> None:
    gate = asyncio.Event()
    one, two = Scripted([Delta("a"), gate, END]), Scripted([Delta("a"), gate, END])
    asked = pool(source_of(one, two))
    tasks = [asyncio.create_task(ask(asked)) for _ in range(6)]
    await until(lambda: len(one.asked) + len(two.asked) == 6)
    assert (len(one.asked), len(two.asked)) == (3, 3)
    gate.set()
    await asyncio.gather(*tasks)


async def test_after_the_first_token_nothing_else_is_tried() -> None:
    broken, good, other = Scripted([Delta("a"), down()]), Scripted(OK), Scripted(OK, name="other")
    asked = pool(source_of(broken, good, of=terms(fallback=("other",))), source_of(other))
    asked.default.addresses.sort(key=lambda a: a.provider is not broken)
    with pytest.raises(UpstreamUnavailable):
        await ask(asked)
    assert (len(good.asked), len(other.asked)) == (0, 0)


@pytest.mark.parametrize("error", [down(), UpstreamTimeout("slow"), ModelUnavailable("no memory")])
async def test_a_fallback_answers_and_says_so(error: UpstreamError) -> None:
    bad, good = Scripted([error], name="bad"), Scripted(OK, name="good")
    asked = pool(source_of(bad, of=terms(fallback=("good/large",))), source_of(good))
    heard = await ask(asked)
    assert (heard.text, heard.asked[0], heard.asked[-1]) == ("ok", "bad", "good/large")
    told = heard.statuses[-1]
    assert (told.stage, told.model_source, told.model) == ("falling_back", "good", "large")
    assert told.reason == error.message
    assert good.asked[0].model == "large"


async def test_a_refusal_is_no_reason_to_fall_back() -> None:
    bad, good = Scripted([UpstreamRefused("wrong key")], name="bad"), Scripted(OK, name="good")
    with pytest.raises(UpstreamRefused):
        await ask(pool(source_of(bad, of=terms(fallback=("good",))), source_of(good)))
    assert not good.asked


async def test_a_fallback_that_the_prompt_does_not_fit_is_passed_over() -> None:
    bad = Scripted([down()], name="bad")
    small, large = Scripted(OK, name="small", context_tokens=10), Scripted(OK, name="large")
    asked = pool(source_of(bad, of=terms(fallback=("bad", "small", "large"))), source_of(small), source_of(large))
    heard = await ask(asked, Generation([Turn("user", "word " * 100)]))
    assert (heard.text, small.asked) == ("ok", [])


async def test_the_last_error_is_told_when_all_fail() -> None:
    one, two = Scripted([down()], name="one"), Scripted([UpstreamUnavailable("two is down")], name="two")
    with pytest.raises(UpstreamUnavailable, match="two is down"):
        await ask(pool(source_of(one, of=terms(fallback=("two",))), source_of(two)))


async def test_an_open_breaker_falls_back_without_waiting() -> None:
    bad, good = Scripted([down()], name="bad"), Scripted(OK, name="good")
    asked = pool(source_of(bad, of=terms(fallback=("good",))), source_of(good))
    for _ in range(FAILURES):
        await ask(asked)
    before = len(bad.asked)
    assert (await ask(asked)).text == "ok"
    assert len(bad.asked) == before
    status = asked.default.addresses[0].status()
    assert (status.breaker, status.last_error) == ("open", "down")


async def test_a_source_that_comes_back_is_used_again() -> None:
    flaky = Scripted(*[[down(0)] for _ in range(FAILURES)], OK, name="flaky")
    asked = pool(source_of(flaky))
    with pytest.raises(UpstreamUnavailable):
        await ask(asked)
    assert (await ask(asked)).text == "ok"  # its third attempt waits until the breaker lets one through
    assert asked.default.addresses[0].status().breaker == "closed"


def test_the_breaker() -> None:
    breaker = Breaker()
    for number in range(FAILURES):
        assert (breaker.state(0), breaker.wait_s(0)) == (BreakerState.CLOSED, 0)
        breaker.fail(0, str(number), retry_after_s=None)
    assert (breaker.state(0), breaker.wait_s(0), breaker.last_error) == (BreakerState.OPEN, 1, "4")
    assert (breaker.state(1), breaker.wait_s(1)) == (BreakerState.HALF_OPEN, 0)
    breaker.begin()
    assert breaker.wait_s(1) > 0  # one at a time
    breaker.fail(1, "still", retry_after_s=None)
    assert breaker.wait_s(1) == 2
    breaker.begin()
    breaker.abandon()
    assert breaker.wait_s(3) == 0
    breaker.succeed()
    assert (breaker.state(3), breaker.wait_s(3), breaker.last_error) == (BreakerState.CLOSED, 0, None)
    breaker.fail(5, "busy", retry_after_s=7)
    assert (breaker.state(5), breaker.wait_s(6), breaker.wait_s(12)) == (BreakerState.CLOSED, 6, 0)


async def test_the_turn_is_free_as_soon_as_an_answer_is_stopped() -> None:
    endless, heard = Scripted([Delta("a"), 30.0], OK), Heard()
    asked = pool(source_of(endless, of=terms(max_concurrent=1)))
    task = asyncio.create_task(asked.generate(asked.default, ASK, heard, TICKET))
    await until(lambda: bool(heard.text))
    following = asyncio.create_task(ask(asked))
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(1):
        second = await following
    assert second.text == "ok"
    assert [s.position for s in second.statuses] == [1]
