"""Deadlines, and the one retry loop: before the first token only."""

import asyncio

import pytest

from app.core.errors import UnknownName, UpstreamError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.base import Delta
from tests.fakes.scripted import END, Scripted, Step
from tests.services.llm.sources import ASK, TICKET, Heard, pool_of


async def asked(model: Scripted, heard: Heard, **limits: float) -> None:
    pool = pool_of(model, **limits)
    await pool.generate(pool.default, ASK, heard, TICKET)


def busy(after_s: float | None = 0) -> UpstreamUnavailable:
    return UpstreamUnavailable("busy", retry_after_s=after_s)


async def test_an_answer() -> None:
    model, heard = Scripted([Delta("a"), Delta("b"), END]), Heard()
    await asked(model, heard)
    assert (heard.text, heard.finished, heard.statuses, model.closed) == ("ab", 1, [], 1)


async def test_it_tries_again_before_the_first_token_and_says_so() -> None:
    model, heard = Scripted([busy()], [busy()], [Delta("a"), END]), Heard()
    await asked(model, heard)
    assert (heard.text, len(model.asked), model.closed) == ("a", 3, 3)
    assert [(s.stage, s.attempt, s.reason) for s in heard.statuses] == [
        ("retrying", 2, "busy"),
        ("retrying", 3, "busy"),
    ]


async def test_it_gives_up_after_three() -> None:
    model, heard = Scripted([busy()]), Heard()
    with pytest.raises(UpstreamUnavailable, match="busy"):
        await asked(model, heard)
    assert (len(model.asked), len(heard.statuses)) == (3, 2)


async def test_after_the_first_token_nothing_is_tried_again() -> None:
    model, heard = Scripted([Delta("a"), busy()]), Heard()
    with pytest.raises(UpstreamUnavailable):
        await asked(model, heard)
    assert (len(model.asked), heard.text, heard.statuses) == (1, "a", [])


@pytest.mark.parametrize("error", [UpstreamRefused("no"), UpstreamTimeout("late"), busy(after_s=60)])
async def test_what_is_not_tried_again(error: UpstreamError) -> None:
    """A refusal stays one, and a wait beyond the deadline is none."""
    model, heard = Scripted([error]), Heard()
    with pytest.raises(type(error)):
        await asked(model, heard)
    assert (len(model.asked), heard.statuses) == (1, [])


@pytest.mark.parametrize(
    ("script", "limits", "said", "heard_text"),
    [
        ([60.0], {"first": 0.05}, "FIRST_TOKEN_TIMEOUT_S", ""),
        ([Delta("a"), 60.0], {"idle": 0.05}, "IDLE_TIMEOUT_S", "a"),
        ([Delta("a"), *[0.005, Delta(".")] * 1000], {"total": 0.1}, "TOTAL_TIMEOUT_S", "a."),
        ([60.0], {"first": 5, "total": 0.05}, "TOTAL_TIMEOUT_S", ""),
    ],
)
async def test_deadlines(script: list[Step], limits: dict[str, float], said: str, heard_text: str) -> None:
    model, heard = Scripted(script), Heard()
    with pytest.raises(UpstreamTimeout, match=said):
        await asked(model, heard, **limits)
    assert heard.text.startswith(heard_text)
    assert (len(model.asked), model.closed) == (1, 1)


async def test_tokens_put_off_the_idle_deadline() -> None:
    model, heard = Scripted([*[Delta("."), 0.02] * 20, END]), Heard()
    await asked(model, heard, idle=0.2, first=0.2)
    assert heard.text == "." * 20


async def test_all_attempts_share_the_first_deadline() -> None:
    model, heard = Scripted([busy(0.03)], [60.0]), Heard()
    with pytest.raises(UpstreamTimeout, match="FIRST_TOKEN_TIMEOUT_S"):
        await asked(model, heard, first=0.1)
    assert len(model.asked) == 2


@pytest.mark.parametrize("script", [[60.0], [Delta("a"), 60.0], [busy(2)]])
async def test_cancelled_while_it_waits(script: list[Step]) -> None:
    model, heard = Scripted(script), Heard()
    task = asyncio.create_task(asked(model, heard))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (len(model.asked), model.closed) == (1, 1)


async def test_cancelled_in_the_moment_of_the_deadline() -> None:
    """The caller's cancellation wins over the timeout that it meets."""
    model, heard = Scripted([Delta("a"), 60.0]), Heard()
    for delay_s in (0.018, 0.0195, 0.02, 0.0205, 0.022):
        task = asyncio.create_task(asked(model, heard, idle=0.02))
        await asyncio.sleep(delay_s)
        if task.cancel():
            with pytest.raises((asyncio.CancelledError, UpstreamTimeout)):
                await task
    assert model.closed == len(model.asked)


async def test_a_sink_that_fails_closes_the_stream() -> None:
    def full() -> None:
        raise UpstreamRefused("full")

    model = Scripted([Delta("a"), Delta("b"), END])
    with pytest.raises(UpstreamRefused, match="full"):
        await asked(model, Heard(full))
    assert model.closed == 1


async def test_names() -> None:
    pool = pool_of(Scripted(name="one"), Scripted(name="two"))
    assert (pool.names, pool.get(None).name, pool.get("two").name) == (["one", "two"], "one", "two")
    with pytest.raises(UnknownName, match="known: one, two"):
        pool.get("three")
    await pool.aclose()
    assert [pool.get(n).provider.closed for n in pool.names] == [-1, -1]  # type: ignore[attr-defined]
