"""Every answer is counted once, whatever becomes of it, in the transaction that stores it."""

import asyncio
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core.errors import UpstreamUnavailable, ValidationFailed
from app.crud import usage
from app.crud.usage import Figures, Range
from app.db.base import now
from app.db.session import Database
from app.services.llm.base import Delta, TokenUsage
from app.services.usage import MAX_DAY_ROWS, MAX_MODELS, UsageFigures, day_range
from tests.crud.rows import make_user
from tests.fakes.scripted import END, Scripted, Step
from tests.services.chatting import Chatting, break_rows, mend_rows

COUNTED: list[Step] = [Delta("one two"), Delta(finish_reason="stop", usage=TokenUsage(100, 7))]
EVER = Range(date.min, date.max)


@pytest.fixture
async def user(db: Database) -> UUID:
    return await make_user(db)


async def figures(db: Database) -> Figures:
    return await db.query(partial(usage.totals, days=EVER))


async def answered(chatting: Chatting, message: str | None = "hello", **body: object) -> UUID:
    started = await chatting.start(message, **body)
    await chatting.frames(started)
    return started.message_id


async def test_answer_counted_by_its_provider(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted(COUNTED))
    await answered(chatting, model="m")
    (of,) = await db.query(partial(usage.by_day, days=EVER, limit=9))
    assert (of.day, of.model_source, of.model) == (now().date(), "scripted", "m")
    assert await figures(db) == Figures(
        messages=1, failed=0, prompt_tokens=100, completion_tokens=7, estimated=0, cost=None
    )
    await chatting.close()


async def test_second_and_continued_answers_count_too(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted(COUNTED, COUNTED, [Delta("x"), END]))
    first = await answered(chatting)
    await answered(chatting, None, regenerate=str(first))
    await answered(chatting, None, **{"continue": str(first)})
    found = await figures(db)
    assert (found.messages, found.failed, found.estimated) == (3, 0, 1)
    assert found.completion_tokens == 15
    assert found.prompt_tokens > 200
    await chatting.close()


async def test_failed_answer_counts_as_failed_with_what_was_written(db: Database, user: UUID, tmp_path: Path) -> None:
    gone = UpstreamUnavailable("gone")
    chatting = Chatting(db, tmp_path, user, Scripted([Delta("one two three four"), gone], [gone]))
    for messages in (1, 2):
        started = await chatting.start()
        await chatting.frames(started)
        found = await figures(db)
        assert (found.messages, found.failed, found.estimated) == (messages, messages, messages)
        stored = (await chatting.message(started)).usage
        assert stored is not None
    assert found.completion_tokens == 5
    await chatting.close()


async def test_stopped_answer_counts_what_was_written(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted([Delta("one two three four"), asyncio.Event()]))
    started = await chatting.start()
    tail = await chatting.service.follow(user, started)
    while b"three" not in await anext(tail):
        pass
    await chatting.service.stop(user, started.run_id)
    async for _ in tail:
        pass
    found = await figures(db)
    stored = (await chatting.message(started)).usage
    assert stored is not None
    assert (found.messages, found.failed, found.estimated) == (1, 0, 1)
    assert (found.prompt_tokens, found.completion_tokens) == (stored["prompt_tokens"], stored["completion_tokens"])
    assert found.completion_tokens == 5
    await chatting.close()


async def test_answer_that_a_kill_cut_off_counts_what_was_written(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, Scripted([Delta("one two three four"), asyncio.Event()]))
    started = await first.start(model="m")
    tail = await first.service.follow(user, started)
    while b"three" not in await anext(tail):
        pass
    await first.die()
    second = Chatting(db, tmp_path, user, Scripted([END]))
    for _ in range(2):
        await second.service.recover()
        found = await figures(db)
        assert (found.messages, found.failed, found.estimated, found.completion_tokens) == (1, 0, 1, 5)
        assert found.prompt_tokens > 10
    (of,) = await db.query(partial(usage.by_model, days=EVER, limit=9))
    assert (of.model_source, of.model) == ("scripted", "m")
    await second.close()


async def test_answer_of_which_nothing_reached_the_log(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, Scripted([asyncio.Event()]))
    await first.start()
    await first.die()
    (tmp_path / "journal.db").unlink()
    second = Chatting(db, tmp_path, user, Scripted([END]))
    await second.service.recover()
    assert await figures(db) == Figures(
        messages=1, failed=0, prompt_tokens=0, completion_tokens=0, estimated=0, cost=None
    )
    await second.close()


async def test_answer_that_could_not_be_stored_at_first_is_counted_once(
    db: Database, user: UUID, tmp_path: Path
) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted([0.2, *COUNTED]))
    started = await chatting.start()
    await break_rows(db)
    assert (await chatting.frames(started))[-1].kind == "error"
    assert (await figures(db)).messages == 0
    await mend_rows(db)
    await chatting.close()  # tries a last time
    await chatting.die()
    again = Chatting(db, tmp_path, user, Scripted([END]))
    await again.service.recover()
    assert (await figures(db)).messages == 1
    await again.close()


async def test_answer_whose_model_was_not_asked(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted(COUNTED))
    await answered(chatting, strict=True)
    found = await figures(db)
    assert (found.messages, found.failed, found.prompt_tokens, found.estimated) == (1, 0, 0, 0)
    await chatting.close()


async def test_usage_stays_when_its_conversation_is_deleted(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted(COUNTED))
    await answered(chatting)
    before = await figures(db)
    await db.write(lambda s: s.execute(text("DELETE FROM conversations")))
    assert await figures(db) == before
    await chatting.close()


async def test_lists_are_cut_and_totals_are_not(sqlite_db: Database) -> None:
    user = await make_user(sqlite_db)
    fill = text(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 5999) INSERT INTO usage_days "
        "SELECT u.id, date('2026-01-01', '+' || (i / 300) || ' days'), 's', 'm' || (i % 300), 'chat', 1, 0, 0, i, 0, "
        "NULL FROM n, users u"
    )
    await sqlite_db.write(lambda s: s.execute(fill))
    report = await UsageFigures(sqlite_db).of_user(user, Range(date(2026, 1, 1), date(2026, 12, 31)))
    assert (len(report.models), len(report.days), report.is_cut) == (MAX_MODELS, MAX_DAY_ROWS, True)
    assert report.totals.messages == 6000
    assert report.models[0].model == "m299"
    assert (report.days[0].day, report.days[-1].day) == (date(2026, 1, 4), date(2026, 1, 20))
    assert (report.days[0].model, report.days[-1].model) == ("m189", "m99")
    week = await UsageFigures(sqlite_db).of_user(user, Range(date(2027, 1, 1), date(2027, 1, 1)))
    assert (week.totals.messages, week.is_cut) == (0, False)


def test_range_of_days() -> None:
    today = now().date()
    assert day_range(None, None) == Range(today - timedelta(days=29), today)
    assert day_range(None, date(2026, 1, 30)) == Range(date(2026, 1, 1), date(2026, 1, 30))
    assert day_range(None, date(1, 1, 3)) == Range(date.min, date(1, 1, 3))
    assert day_range(date(2024, 1, 1), date(2024, 12, 31)) == Range(date(2024, 1, 1), date(2024, 12, 31))
    for first, last, complaint in (
        (date(2026, 1, 2), date(2026, 1, 1), "is after"),
        (today + timedelta(days=1), None, "is after"),
        (date(2024, 1, 1), date(2025, 1, 1), "are 367 days and 366 are allowed"),
        (date.min, date.max, "days and 366"),
    ):
        with pytest.raises(ValidationFailed, match=complaint):
            day_range(first, last)
