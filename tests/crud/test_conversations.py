"""Conversations, their lists and the tree of messages, on both databases."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from app.core.enums import RunStatus
from app.core.errors import NotFound
from app.crud import conversations, runs
from app.crud.conversations import ConversationRow
from app.crud.paging import Position
from app.crud.runs import NewRun
from app.db.base import now
from app.db.models import Conversation, Ledger, Message, MessageText, Run
from app.db.session import Database, Session
from tests.crud.rows import make_conversation, make_user, say

GONE_WITH_IT = (Conversation, Message, MessageText, Run, Ledger)


async def page(
    db: Database, owner: UUID, *, after: Position | None = None, limit: int = 10, query: str = ""
) -> Sequence[ConversationRow]:
    return await db.query(partial(conversations.page, user_id=owner, query=query, after=after, limit=limit))


async def all_pages(db: Database, owner: UUID, limit: int) -> list[str]:
    titles: list[str] = []
    after = None
    while rows := await page(db, owner, after=after, limit=limit):
        titles += [row.title for row in rows]
        after = (rows[-1].updated_at, rows[-1].id)
    return titles


async def test_newest_comes_first_and_pages_join_without_gap_or_repeat(db: Database) -> None:
    ann = await make_user(db)
    for number in range(7):
        await make_conversation(db, ann, f"t{number}")
    await make_conversation(db, await make_user(db), "another user's")
    expected = [f"t{number}" for number in reversed(range(7))]
    assert [row.title for row in await page(db, ann)] == expected
    for limit in (1, 2, 3, 7):
        assert await all_pages(db, ann, limit) == expected


async def test_pages_join_when_all_have_the_same_time(db: Database) -> None:
    ann = await make_user(db)
    for number in range(5):
        await make_conversation(db, ann, f"t{number}")
    same = datetime(2026, 1, 1, tzinfo=UTC)
    await db.write(lambda s: s.execute(update(Conversation).values(updated_at=same)))
    assert sorted(await all_pages(db, ann, 2)) == [f"t{number}" for number in range(5)]


async def test_page_is_stable_while_rows_are_added(db: Database) -> None:
    ann = await make_user(db)
    for number in range(4):
        await make_conversation(db, ann, f"t{number}")
    first = await page(db, ann, limit=2)
    await make_conversation(db, ann, "added meanwhile")
    after = (first[-1].updated_at, first[-1].id)
    assert [row.title for row in await page(db, ann, after=after)] == ["t1", "t0"]


async def test_touch_makes_it_the_newest_with_a_new_leaf(db: Database) -> None:
    ann = await make_user(db)
    old, _ = await make_conversation(db, ann, "old"), await make_conversation(db, ann, "new")
    leaf = await say(db, ann, old, "hello")
    newest = (await page(db, ann))[0]
    assert (newest.id, newest.active_message_id) == (old, leaf)
    assert newest.updated_at > newest.created_at


async def test_times_are_utc(db: Database) -> None:
    ann = await make_user(db)
    await make_conversation(db, ann)
    row = (await page(db, ann))[0]
    assert row.created_at.tzinfo is UTC
    assert abs((now() - row.updated_at).total_seconds()) < 60


async def test_another_users_conversation_is_not_there(db: Database) -> None:
    ann, bob = await make_user(db), await make_user(db)
    conversation_id = await make_conversation(db, ann)
    assert (await db.query(partial(conversations.get, conversation_id=conversation_id, user_id=ann))).title == "A title"
    for missing, owner in ((conversation_id, bob), (uuid4(), ann)):
        with pytest.raises(NotFound, match=str(missing)):
            await db.query(partial(conversations.get, conversation_id=missing, user_id=owner))
        with pytest.raises(NotFound, match=str(missing)):
            await db.write(partial(conversations.remove, conversation_id=missing, user_id=owner))


async def test_removal_takes_messages_words_runs_and_ledgers(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann, "t", "one", "two")
    await db.write(partial(_add_run, conversation_id=conversation_id, user_id=ann))
    kept = await make_conversation(db, ann, "kept", "three")
    await db.write(partial(conversations.remove, conversation_id=conversation_id, user_id=ann))
    counts = await db.query(lambda s: [s.scalar(select(func.count()).select_from(table)) for table in GONE_WITH_IT])
    assert counts == [1, 1, 1, 0, 0]
    assert [row.id for row in await page(db, ann)] == [kept]


async def test_newest_leaf_follows_the_newest_child_at_every_step(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann)
    said = partial(say, db, ann, conversation_id)
    root = await said("root")
    first, second = await said("first", parent_id=root), await said("second", parent_id=root)
    below_first = await said("below first", parent_id=first)
    below_second = await said("below second", parent_id=second)
    leaf_of = partial(conversations.newest_leaf, conversation_id=conversation_id)
    expected = {root: below_second, first: below_first, second: below_second, below_first: below_first}
    for message_id, leaf in expected.items():
        assert await db.query(partial(leaf_of, message_id=message_id)) == leaf


def _add_run(session: Session, conversation_id: UUID, user_id: UUID) -> None:
    message_id = session.scalars(select(Message.id).where(Message.conversation_id == conversation_id)).first()
    assert message_id is not None
    run_id = uuid4()
    run = NewRun(
        id=run_id,
        user_id=user_id,
        conversation_id=conversation_id,
        user_message_id=None,
        message_id=message_id,
        model_source="openai",
        model=None,
        replica="r",
        request_id="",
        content_before=0,
        reasoning_before=0,
        created_at=now(),
    )
    runs.add(session, run)
    runs.finish(session, run_id, status=RunStatus.DONE, error=None, trace=b"")
    runs.add_ledger(session, run_id=run_id, message_id=message_id, user_id=user_id, entry={})
