"""Usage added up by day, on both databases."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update

from app.core.enums import Surface
from app.crud import usage
from app.crud.usage import Figures, OfDay, OfModel, Range, Usage
from app.db.base import now
from app.db.models import UsageDay, User
from app.db.session import Database, Session
from tests.crud.rows import make_user

EVER = Range(date.min, date.max)


async def add(db: Database, *used: Usage) -> None:
    for one in used:
        await db.write(partial(usage.add, usage=one))


async def move(db: Database, model: str, days: int) -> None:
    """Have a model used so many days ago."""
    day = now().date() - timedelta(days=days)
    await db.write(lambda s: s.execute(update(UsageDay).where(UsageDay.model == model).values(day=day)))


async def totals(db: Database, days: Range = EVER) -> Figures:
    return await db.query(partial(usage.totals, days=days))


def figures(messages: int, prompt_tokens: int, completion_tokens: int, **more: float | None) -> dict[str, object]:
    none = {"failed": 0, "estimated": 0, "cost": None}
    return {
        **none,
        "messages": messages,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        **more,
    }


@pytest.fixture
async def ann(db: Database) -> UUID:
    return await make_user(db, "ann")


@pytest.fixture
def one(ann: UUID) -> Usage:
    return Usage(ann, "openai", "m", Surface.CHAT, prompt_tokens=10, completion_tokens=3)


async def test_answers_of_one_day_are_one_row(db: Database, one: Usage) -> None:
    await add(db, one, replace(one, is_failed=True), replace(one, is_estimated=True, completion_tokens=5))
    (row,) = await db.query(lambda s: s.scalars(select(UsageDay)).all())
    assert (row.day, row.model_source, row.model, row.surface) == (now().date(), "openai", "m", "chat")
    assert await totals(db) == Figures(**figures(3, 30, 11, failed=1, estimated=1))  # type: ignore[arg-type]


async def test_what_an_answer_took_besides_is_no_answer(db: Database, one: Usage) -> None:
    await add(db, one, replace(one, messages=0, is_estimated=True, prompt_tokens=90))
    assert await totals(db) == Figures(**figures(1, 100, 6))  # type: ignore[arg-type]


async def test_nothing_was_used(db: Database, ann: UUID) -> None:
    days = replace(EVER, user_id=ann)
    assert await totals(db, days) == Figures(**figures(0, 0, 0))  # type: ignore[arg-type]
    assert await db.query(partial(usage.by_model, days=days, limit=9)) == []
    assert await db.query(partial(usage.by_day, days=days, limit=9)) == []
    assert await db.query(partial(usage.by_user, days=days, limit=9)) == []
    assert await db.query(partial(usage.active_users, days=days)) == 0
    assert await db.query(usage.stored) == (0, 0)


async def test_cost_is_the_sum_of_what_is_known(db: Database, one: Usage) -> None:
    await add(db, one)
    assert (await totals(db)).cost is None
    await add(db, replace(one, cost=0.1), one, replace(one, cost=0.2))
    await add(db, replace(one, model="free", cost=0.0), replace(one, model="unknown"))
    found = await db.query(partial(usage.by_model, days=EVER, limit=9))
    assert {of.model: of.cost for of in found} == {"m": 0.3, "free": 0.0, "unknown": None}
    assert (await totals(db)).cost == 0.3


async def test_model_day_and_user_are_kept_apart_and_surfaces_added(db: Database, one: Usage) -> None:
    bob = await make_user(db, "bob")
    await add(db, one, replace(one, surface=Surface.OPENAI), replace(one, model=None), replace(one, model_source="x"))
    await add(db, replace(one, user_id=bob), replace(one, user_id=bob, model="old", prompt_tokens=1000))
    await move(db, "old", 3)
    today = now().date()
    days = replace(EVER, user_id=one.user_id)
    assert await db.query(partial(usage.by_model, days=days, limit=9)) == [
        OfModel(model_source="openai", model="m", **figures(2, 20, 6)),  # type: ignore[arg-type]
        OfModel(model_source="openai", model=None, **figures(1, 10, 3)),  # type: ignore[arg-type]
        OfModel(model_source="x", model="m", **figures(1, 10, 3)),  # type: ignore[arg-type]
    ]
    of_bob = await db.query(partial(usage.by_day, days=replace(EVER, user_id=bob), limit=9))
    assert of_bob == [
        OfDay(day=today - timedelta(days=3), model_source="openai", model="old", **figures(1, 1000, 3)),  # type: ignore[arg-type]
        OfDay(day=today, model_source="openai", model="m", **figures(1, 10, 3)),  # type: ignore[arg-type]
    ]
    assert await db.query(partial(usage.by_day, days=EVER, limit=1)) == [
        OfDay(day=today, model_source="x", model="m", **figures(1, 10, 3))  # type: ignore[arg-type]
    ]
    assert [of.username for of in await db.query(partial(usage.by_user, days=EVER, limit=9))] == ["bob", "ann"]
    for first, last, messages, active in ((0, 0, 5, 2), (3, 1, 1, 1), (2, 1, 0, 0), (3, 0, 6, 2)):
        span = Range(today - timedelta(days=first), today - timedelta(days=last))
        assert (await totals(db, span)).messages == messages
        assert await db.query(partial(usage.active_users, days=span)) == active


async def test_answers_that_end_at_the_same_moment_are_all_counted(db: Database, one: Usage) -> None:
    await asyncio.gather(*(add(db, one) for _ in range(40)))
    assert (await totals(db)).messages == 40


async def test_usage_goes_with_its_user(db: Database, one: Usage) -> None:
    await add(db, one)

    def remove(session: Session) -> int | None:
        session.execute(delete(User))
        return session.scalar(select(func.count()).select_from(UsageDay))

    assert await db.write(remove) == 0


async def test_tokens_beyond_32_bits(db: Database, one: Usage) -> None:
    await add(db, *[replace(one, prompt_tokens=2**40)] * 2)
    assert (await totals(db)).prompt_tokens == 2**41
