"""An answer's citations in the stream, in its message, when resumed, continued and after a restart."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.core.enums import FileStatus
from app.crud import chunks
from app.db.models import Chunk, File
from app.db.session import Database
from app.rag.retriever import Retriever
from app.services.grounding import Grounding
from app.services.llm.base import Delta
from app.services.spending import Spending
from tests.chats import Frame, check, text
from tests.crud.rows import make_user
from tests.fakes.scripted import END, Scripted
from tests.services.chatting import Chatting

SAID = "Acme Robotics sold 1,200 units in Germany. Revenue rose by 5.2 % to EUR 4.2 million."
ANSWER = ["Revenue rose by 5.2% [1]", ". And 1,300 units", " were sold [1]. It is so [7", "]"]


@pytest.fixture
async def user(db: Database) -> UUID:
    user = await make_user(db)
    async with db.begin() as session:
        file = File(id=UUID(int=5), user_id=user, name="a.txt", media_type="text/plain", size_bytes=1, sha256="")
        file.status = FileStatus.READY
        session.add(file)
        await session.flush()
        place = {"page_from": 1, "page_to": 1, "char_from": 100, "char_to": 100 + len(SAID)}
        await chunks.add(
            session, [Chunk(file_id=file.id, user_id=user, ordinal=0, text=SAID, fingerprint="t", **place)]
        )
    return user


def chat(db: Database, folder: Path, user: UUID, *scripts: list[Any]) -> Chatting:
    found = Chatting(db, folder, user, Scripted(*scripts))
    tools = found.service._tools
    retriever = Retriever(db, embedder=None, vectors=None)
    grounding = Grounding(db, tools.pool, retriever, record=Spending(db), query_rewrite="off")
    found.service._tools = replace(tools, grounding=grounding)
    return found


def cited(frames: list[Frame]) -> list[tuple[int, bool]]:
    return [(f.data["n"], f.data["supported"]) for f in frames if f.kind == "citation"]


def shown(frames: list[Frame]) -> list[Any]:
    return [f.data for f in frames if f.kind == "citation"]


async def test_citations_of_a_stream_a_resume_and_a_continuation(db: Database, user: UUID, tmp_path: Path) -> None:
    first = [*(Delta(piece) for piece in ANSWER), END]
    chatting = chat(db, tmp_path, user, first, [Delta(" and revenue was 4.2 million [1]. No [1]."), END])
    started = await chatting.start("What was the revenue in Germany?")
    message = await chatting.service.answer(user, started)
    live = await chatting.frames(started)
    check(live)
    assert cited(live) == [(1, True), (1, False), (7, False)]
    assert message.citations == shown(live)
    kinds = [f.kind for f in live]
    assert kinds.index("citation") > kinds.index("delta")
    first_one = next(f.data for f in live if f.kind == "citation")
    assert message.content[first_one["char_from"] : first_one["char_to"]] == "Revenue rose by 5.2% [1]."
    first_id = next(f.id for f in live if f.kind == "citation")
    assert len(text([f for f in live if f.id < first_id])) < len(message.content)

    more = await chatting.start(None, **{"continue": str(started.message_id)})
    whole = await chatting.service.answer(user, more)
    later = await chatting.frames(more)
    assert cited(later) == [(1, True), (1, True)]
    assert whole.citations == [*shown(live), *shown(later)]
    mark = whole.citations[3]["mark"]  # type: ignore[index]
    assert whole.content[mark["char_from"] : mark["char_to"]] == "[1]"
    await chatting.close()

    (tmp_path / "elsewhere").mkdir()
    again = chat(db, tmp_path / "elsewhere", user, [END])  # whose journal has none of these runs
    for run, frames in ((started, live), (more, later)):
        stored = [(f.id, f.data) for f in await again.frames(run) if f.kind == "citation"]
        assert stored == [(f.id, f.data) for f in frames if f.kind == "citation"]
        after = stored[0][0]
        rest = [f.id for f in await again.frames(run, after) if f.kind == "citation"]
        assert rest == [number for number, _ in stored[1:]]
    await again.close()


async def test_a_killed_answer_keeps_the_citations_that_were_shown(db: Database, user: UUID, tmp_path: Path) -> None:
    first = chat(db, tmp_path, user, [*(Delta(piece) for piece in ANSWER), asyncio.Event()])
    started = await first.start("What was the revenue in Germany?")
    tail = await first.service.follow(user, started)
    seen = b""
    while b"[7" not in seen:
        seen += await anext(tail)
    await first.die()
    second = chat(db, tmp_path, user, [END])
    await second.service.recover()
    message = await second.message(started)
    frames = await second.frames(started)
    assert [c["supported"] for c in message.citations][:2] == [True, False]  # type: ignore[index]
    assert shown(frames) == message.citations[: len(shown(frames))]
    assert len(shown(frames)) >= 2
    await second.close()


async def test_an_answer_without_a_search_has_no_citations(db: Database, user: UUID, tmp_path: Path) -> None:
    chatting = chat(db, tmp_path, user, [Delta("x[1] is an element [1]. So."), END])
    started = await chatting.start("What is an element?", use_rag=False)
    assert (await chatting.service.answer(user, started)).citations == []
    assert cited(await chatting.frames(started)) == []
    await chatting.close()
