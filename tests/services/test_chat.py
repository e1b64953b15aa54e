"""Runs beside each other and beside a database that fails, on either database."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from app.core.enums import FinishReason
from app.core.errors import AppError, Conflict, ModelUnavailable
from app.crud import conversations
from app.db.session import Database
from app.schemas.chat import TextDelta
from app.services.llm.base import Delta
from tests.chats import check, text
from tests.crud.rows import make_user
from tests.fakes.scripted import END, Scripted
from tests.services.chatting import Chatting, break_rows, mend_rows

SILENT = Scripted([asyncio.Event()], name="silent")


@pytest.fixture
async def user(db: Database) -> UUID:
    return await make_user(db)


@pytest.fixture
async def chatting(db: Database, user: UUID, tmp_path: Path) -> AsyncIterator[Chatting]:
    opened = Chatting(db, tmp_path, user, Scripted([Delta("a"), Delta("b"), END]), SILENT)
    yield opened
    await opened.close()


async def test_the_same_key_at_once_starts_one_run(chatting: Chatting) -> None:
    """Also when the second finds the row before the first has made its task."""
    for n in range(20):
        started = await asyncio.gather(*(chatting.start(key=f"key{n}") for _ in range(6)))
        assert len(set(started)) == 1
        answers = await asyncio.gather(*(chatting.service.answer(chatting.user, s) for s in started))
        assert {m.content for m in answers} == {"ab"}
        streams = await asyncio.gather(*(chatting.frames(s) for s in started))
        assert all(frames == streams[0] for frames in streams)
        assert streams[0][-1].data["finish_reason"] == "stop"


async def test_of_two_who_continue_at_once_one_may(db: Database, user: UUID, tmp_path: Path) -> None:
    goes_on = asyncio.Event()
    chatting = Chatting(db, tmp_path, user, Scripted([Delta("ab"), END], [goes_on, Delta("cd"), END]))
    started = await chatting.start()
    await chatting.service.answer(user, started)
    body = {"continue": str(started.message_id)}
    results = await asyncio.gather(*(chatting.start(None, **body) for _ in range(8)), return_exceptions=True)
    (begun,) = (r for r in results if not isinstance(r, BaseException))
    assert [type(r) for r in results if isinstance(r, BaseException)] == [Conflict] * 7
    goes_on.set()
    assert (await chatting.service.answer(user, begun)).content == "abcd"
    await chatting.close()


async def test_stopped_before_its_task_has_run_once(chatting: Chatting) -> None:
    started = await chatting.start(model_source="silent")
    chatting.service._running[started.run_id].cancel(FinishReason.STOPPED)
    frames = await chatting.frames(started)
    check(frames)
    assert (frames[-1].data["finish_reason"], (await chatting.message(started)).status) == ("stopped", "stopped")


async def test_whoever_saw_the_row_waits_for_the_task(chatting: Chatting) -> None:
    """On PostgreSQL the row may reach another client before its own task goes on."""
    started = await chatting.start()
    begun = chatting.service._starting[started.run_id] = asyncio.Event()
    early = [
        asyncio.create_task(chatting.service.stop(chatting.user, started.run_id)),
        asyncio.create_task(chatting.service.resume(chatting.user, started.run_id, 0)),
    ]
    await asyncio.wait(early, timeout=0.2)
    assert not any(task.done() for task in early)
    begun.set()
    await asyncio.gather(*early)
    del chatting.service._starting[started.run_id]


async def test_nothing_starts_once_the_end_has_begun(chatting: Chatting) -> None:
    late = asyncio.create_task(chatting.start(model_source="silent"))
    for _ in range(3):
        await asyncio.sleep(0)
    chatting.service.interrupt()  # while the rows are being written
    frames = await chatting.frames(await late)
    assert (frames[-1].kind, frames[-1].data["finish_reason"]) == ("done", "interrupted")
    with pytest.raises(ModelUnavailable, match="restarting"):
        await chatting.start()


async def test_a_conversation_that_is_deleted_under_a_run(chatting: Chatting) -> None:
    """Its rows are gone when the run wants to store its answer: there is nothing to store, and nothing is kept."""
    started = await chatting.start(model_source="silent")
    run = chatting.service._running[started.run_id]
    tail = await chatting.service.follow(chatting.user, started)
    await chatting.db.write(lambda s: conversations.remove(s, started.conversation_id, chatting.user))
    await chatting.service.stop_conversation(chatting.user, started.conversation_id)
    assert (run.task.done(), run.failure) == (True, None)
    assert b"event: done" in b"".join([data async for data in tail])
    assert chatting.log._kept == set()


async def test_a_provider_that_breaks_in_an_unknown_way(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = Chatting(db, tmp_path, user, Scripted([Delta("a"), RuntimeError("surprise")]))
    started = await chatting.start()
    frames = await chatting.frames(started)
    check(frames)
    assert (frames[-1].kind, frames[-1].data["code"]) == ("error", "internal")
    assert "surprise" not in frames[-1].data["message"]
    message = await chatting.message(started)
    assert (message.content, message.status) == ("a", "failed")
    await chatting.close()


async def test_an_answer_that_cannot_be_stored_is_stored_later(chatting: Chatting) -> None:
    await break_rows(chatting.db)
    started = await chatting.start()
    frames = await chatting.frames(started)
    check(frames)
    assert (text(frames), frames[-1].kind, frames[-1].data["code"]) == ("ab", "error", "internal")
    with pytest.raises(AppError) as caught:
        await chatting.service.answer(chatting.user, started)
    assert caught.value.details["message_id"] == str(started.message_id)
    assert (await chatting.message(started)).status == "streaming"
    assert chatting.log._kept == {str(started.run_id)}

    await mend_rows(chatting.db)
    run = chatting.service._running[started.run_id]
    await chatting.service.stop(chatting.user, started.run_id)  # tries again at once
    await asyncio.wait([run.task])
    message = await chatting.message(started)
    assert (message.status, message.content) == ("complete", "ab")
    assert chatting.log._kept == set()
    assert (await chatting.start(conversation_id=started.conversation_id)).message_id


async def test_an_answer_that_cannot_be_stored_outlives_the_process(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, Scripted([Delta("ab"), END]))
    await break_rows(db)
    started = await first.start()
    await first.frames(started)
    await first.close()
    await mend_rows(db)
    second = Chatting(db, tmp_path, user, Scripted([END]))
    await second.service.recover()
    assert ((await second.message(started)).content, await second.run_status(started)) == ("ab", "interrupted")
    await second.close()


async def test_a_log_that_is_full_ends_the_run_and_keeps_the_answer(db: Database, user: UUID, tmp_path: Path) -> None:
    goes_on = asyncio.Event()
    more = [Delta("x" * 3000), 0.001] * 300
    chatting = Chatting(db, tmp_path, user, Scripted([Delta("a"), goes_on, *more, END]))
    started = await chatting.start()
    tail = await chatting.service.follow(user, started)
    while b'"a"' not in await anext(tail):
        pass
    pages = chatting.log._db.execute("PRAGMA page_count").fetchone()[0]
    chatting.log._db.execute(f"PRAGMA max_page_count={pages + 20}")
    goes_on.set()
    frames = await chatting.frames(started)
    check(frames)
    assert (frames[-1].kind, frames[-1].data["code"]) == ("error", "storage_full")
    with pytest.raises(AppError, match="disk is full"):
        await chatting.service.answer(user, started)
    message = await chatting.message(started)
    assert message.status == "failed"
    assert message.content.startswith(text(frames))
    assert chatting.service._tools.pool.default.provider.closed == 1  # type: ignore[attr-defined]
    assert TextDelta.kind in {f.kind for f in frames}
    await chatting.close()
