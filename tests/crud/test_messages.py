"""Messages: paths, pages, what a run leaves, feedback; on both databases."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID, uuid4

import pytest

from app.core.enums import Author, MessageStatus, RunStatus
from app.core.errors import NotFound
from app.crud import messages, runs
from app.crud.messages import MessageRow, Outcome
from app.crud.paging import Position
from app.crud.runs import NewRun
from app.db.base import now
from app.db.session import Database
from tests.crud.rows import make_conversation, make_user, new_message, say

OUTCOME = Outcome(
    content="an answer",
    reasoning="a thought",
    status=MessageStatus.COMPLETE,
    finish_reason="stop",
    sources=[{"n": 1, "file_name": "a.pdf"}],
    citations=[{"n": 1, "supported": True}],
    usage={"prompt_tokens": 3},
    error=None,
    model_source="openai",
    model="m",
)


async def page(
    db: Database, owner: UUID, conversation_id: UUID, *, after: Position | None = None, limit: int = 100
) -> Sequence[MessageRow]:
    return await db.query(
        partial(messages.page, conversation_id=conversation_id, user_id=owner, after=after, limit=limit)
    )


async def path(db: Database, conversation_id: UUID, leaf_id: UUID | None) -> list[str]:
    nodes = await db.query(partial(messages.path, conversation_id=conversation_id, leaf_id=leaf_id))
    return [node.content for node in nodes]


async def test_path_goes_from_the_root_to_the_leaf_of_one_branch(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann)
    said = partial(say, db, ann, conversation_id)
    root = await said("root")
    left, right = await said("left", parent_id=root), await said("right", parent_id=root)
    leaf = await said("leaf", parent_id=left)
    assert await path(db, conversation_id, leaf) == ["root", "left", "leaf"]
    assert await path(db, conversation_id, right) == ["root", "right"]
    assert await path(db, conversation_id, None) == []


async def test_path_of_a_leaf_elsewhere_is_empty(db: Database) -> None:
    ann = await make_user(db)
    one, other = await make_conversation(db, ann, "one"), await make_conversation(db, ann, "other")
    leaf = await say(db, ann, other, "hello")
    assert await path(db, one, leaf) == []
    assert await path(db, one, uuid4()) == []


async def test_all_branches_come_oldest_first_in_pages(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann, "t", "0", "1")
    for number in range(2, 7):
        await say(db, ann, conversation_id, str(number))
    rows: list[MessageRow] = []
    after = None
    while found := await page(db, ann, conversation_id, after=after, limit=3):
        rows += found
        after = (found[-1][0].created_at, found[-1][0].id)
    assert [message.content for message, _ in rows] == list("0123456")
    assert await page(db, await make_user(db), conversation_id) == []


async def test_page_names_the_run_that_is_writing(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann, "t", "question")
    answer = new_message(ann, conversation_id, "", role=Author.ASSISTANT, status=MessageStatus.STREAMING)
    await db.write(partial(messages.add, messages=[answer]))
    run_ids = [uuid4(), uuid4()]
    for run_id in run_ids:
        run = NewRun(
            id=run_id,
            user_id=ann,
            conversation_id=conversation_id,
            user_message_id=None,
            message_id=answer.id,
            model_source="openai",
            model=None,
            replica="r",
            request_id="",
            content_before=0,
            reasoning_before=0,
            created_at=now(),
        )
        await db.write(partial(runs.add, run=run))
    await db.write(partial(runs.finish, run_id=run_ids[0], status=RunStatus.DONE, error=None, trace=b""))
    assert [run_id for _, run_id in await page(db, ann, conversation_id)] == [None, run_ids[1]]
    await db.write(partial(messages.finish, message_id=answer.id, outcome=OUTCOME))
    assert [run_id for _, run_id in await page(db, ann, conversation_id)] == [None, None]


async def test_outcome_is_stored_whole(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann)
    answer = new_message(ann, conversation_id, "", role=Author.ASSISTANT, status=MessageStatus.STREAMING)
    await db.write(partial(messages.add, messages=[answer]))
    await db.write(partial(messages.finish, message_id=answer.id, outcome=OUTCOME))
    stored = await db.query(partial(messages.get, message_id=answer.id, user_id=ann))
    assert {name: getattr(stored, name) for name in Outcome.__slots__} == {
        name: getattr(OUTCOME, name) for name in Outcome.__slots__
    }
    assert stored.created_at == answer.created_at


async def test_one_of_two_may_begin_an_answer_again(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann)
    answer = new_message(ann, conversation_id, "hel", role=Author.ASSISTANT, status=MessageStatus.STOPPED)
    await db.write(partial(messages.add, messages=[answer]))
    again = partial(messages.begin_again, message_id=answer.id, user_id=ann)
    assert [await db.write(again), await db.write(again)] == [True, False]
    stored = await db.query(partial(messages.get, message_id=answer.id, user_id=ann))
    assert stored.status == MessageStatus.STREAMING


async def test_feedback(db: Database) -> None:
    ann = await make_user(db)
    conversation_id = await make_conversation(db, ann)
    message_id = await say(db, ann, conversation_id, "hello")
    feedback = {"rating": 1, "comment": "good"}
    await db.write(partial(messages.set_feedback, message_id=message_id, user_id=ann, feedback=feedback))
    stored = await db.query(partial(messages.get, message_id=message_id, user_id=ann))
    assert stored.feedback == feedback


async def test_another_users_message_is_not_there(db: Database) -> None:
    ann, bob = await make_user(db), await make_user(db)
    conversation_id = await make_conversation(db, ann)
    message_id = await say(db, ann, conversation_id, "hello")
    with pytest.raises(NotFound, match=str(message_id)):
        await db.query(partial(messages.get, message_id=message_id, user_id=bob))
    with pytest.raises(NotFound, match=str(message_id)):
        await db.write(partial(messages.set_feedback, message_id=message_id, user_id=bob, feedback={}))


async def test_message_must_be_of_the_conversation(db: Database) -> None:
    ann = await make_user(db)
    one, other = await make_conversation(db, ann, "one"), await make_conversation(db, ann, "other")
    message_id = await say(db, ann, other, "hello")
    get_in = partial(messages.get_in, message_id=message_id, user_id=ann)
    assert (await db.query(partial(get_in, conversation_id=other))).content == "hello"
    with pytest.raises(NotFound, match=str(message_id)):
        await db.query(partial(get_in, conversation_id=one))
