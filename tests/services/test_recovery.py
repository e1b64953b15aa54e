"""What a killed process left unfinished is stored, marked and can go on, on either database."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from app.crud import conversations
from app.db.session import Database
from app.services.llm.base import Delta
from tests.chats import check, text
from tests.crud.rows import make_user
from tests.fakes.scripted import END, Scripted
from tests.services.chatting import Chatting


@pytest.fixture
async def user(db: Database) -> UUID:
    return await make_user(db)


def silent(*before: Delta) -> Scripted:
    return Scripted([*before, asyncio.Event()])


async def test_an_unfinished_answer_keeps_its_text(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, silent(Delta(reasoning="hm"), Delta("two "), Delta("wörds")))
    started = await first.start()
    tail = await first.service.follow(user, started)
    seen = b""
    while "wörds".encode() not in seen:
        seen += await anext(tail)
    await first.die()

    second = Chatting(db, tmp_path, user, Scripted([Delta(" more"), END]))
    await second.service.recover()
    message = await second.message(started)
    assert (message.content, message.reasoning, message.status) == ("two wörds", "hm", "interrupted")
    assert (message.finish_reason, await second.run_status(started)) == ("interrupted", "interrupted")
    frames = await second.frames(started)
    check(frames)
    assert (text(frames), frames[-1].data["finish_reason"]) == ("two wörds", "interrupted")
    last = max(int(line[4:]) for line in seen.split(b"\n") if line.startswith(b"id: "))
    assert [(f.id, f.kind) for f in await second.frames(started, last)] == [(last + 1, "done")]
    (entry,) = await second.service.ledgers(user, started.message_id)
    assert entry.entry["messages"][1]["content"] == "hello"  # type: ignore[index]

    more = await second.start(None, **{"continue": str(started.message_id)})
    assert (await second.service.answer(user, more)).content == "two wörds more"
    assert text(await second.frames(started)) == "two wörds"
    await second.close()

    third = Chatting(db, tmp_path, user, Scripted([END]))
    await third.service.recover()  # nothing is left to do
    assert (await third.message(started)).status == "complete"
    assert text(await third.frames(more)) == " more"
    assert (await third.frames(started))[-1].data["finish_reason"] == "interrupted"
    await third.close()


async def test_a_killed_continuation_keeps_what_was_there(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, Scripted([Delta("one"), END], [Delta(" two"), asyncio.Event()]))
    started = await first.start()
    await first.service.answer(user, started)
    more = await first.start(None, **{"continue": str(started.message_id)})
    tail = await first.service.follow(user, more)
    while b" two" not in await anext(tail):
        pass
    await first.die()
    second = Chatting(db, tmp_path, user, Scripted([END]))
    await second.service.recover()
    assert (await second.message(started)).content == "one two"
    assert (text(await second.frames(started)), text(await second.frames(more))) == ("one", " two")
    assert (await second.frames(started))[-1].data["finish_reason"] == "stop"
    await second.close()


async def test_a_run_of_which_nothing_reached_the_log(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, silent())
    started = await first.start()
    await first.die()
    (tmp_path / "journal.db").unlink()
    second = Chatting(db, tmp_path, user, Scripted([END]))
    await second.service.recover()
    assert ((await second.message(started)).content, await second.run_status(started)) == ("", "interrupted")
    assert [f.kind for f in await second.frames(started)] == ["run", "done"]
    await second.close()


async def test_a_conversation_deleted_before_the_restart(db: Database, user: UUID, tmp_path: Path) -> None:
    first = Chatting(db, tmp_path, user, silent(Delta("a")))
    started = await first.start()
    await first.die()
    await db.write(lambda s: conversations.remove(s, started.conversation_id, user))
    second = Chatting(db, tmp_path, user, Scripted([END]))
    await second.service.recover()
    assert second.log.left_behind([str(started.run_id)]) == {}
    await second.close()
