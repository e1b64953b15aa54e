"""Follow-ups, edits, new roots, second answers and continued ones: nothing is overwritten."""

import asyncio

import pytest

from tests.chats import Chat, Frame, text
from tests.fakes.upstream import Upstream


def conversation(frames: list[Frame]) -> str:
    return str(frames[0].data["conversation_id"])


def answer_id(frames: list[Frame]) -> str:
    return str(frames[0].data["message_id"])


def question_id(frames: list[Frame]) -> str:
    return str(frames[0].data["user_message_id"])


async def sent(chat: Chat, frames: list[Frame]) -> list[str]:
    """What the model saw after the system prompt."""
    entry = (await chat.ledger(answer_id(frames)))[-1]
    return [f"{m['role']}: {m['content']}" for m in entry["messages"][1:]]


async def test_a_follow_up_goes_to_the_active_leaf(chat: Chat) -> None:
    first = await chat.stream("one", model="fake-n1")
    second = await chat.stream("two", model="fake-n1", conversation_id=conversation(first))
    assert conversation(second) == conversation(first)
    parents = {m["id"]: m["parent_id"] for m in await chat.messages(conversation(first))}
    assert parents == {
        question_id(first): None,
        answer_id(first): question_id(first),
        question_id(second): answer_id(first),
        answer_id(second): question_id(second),
    }
    assert await sent(chat, second) == ["user: one", f"assistant: {text(first)}", "user: two"]


async def test_an_edit_is_a_sibling_and_a_null_parent_a_new_root(chat: Chat) -> None:
    first = await chat.stream("one", model="fake-n1")
    second = await chat.stream("two", model="fake-n1", conversation_id=conversation(first))
    edited = await chat.stream(
        "two, edited", model="fake-n1", conversation_id=conversation(first), parent_id=answer_id(first)
    )
    root = await chat.stream("one, edited", model="fake-n1", conversation_id=conversation(first), parent_id=None)
    parents = {m["id"]: m["parent_id"] for m in await chat.messages(conversation(first))}
    assert len(parents) == 8
    assert parents[question_id(edited)] == parents[question_id(second)] == answer_id(first)
    assert parents[question_id(root)] is None
    assert await sent(chat, edited) == ["user: one", f"assistant: {text(first)}", "user: two, edited"]
    assert await sent(chat, root) == ["user: one, edited"]
    last = await chat.stream("three", model="fake-n1", conversation_id=conversation(first))
    assert (await sent(chat, last))[0] == "user: one, edited"  # what was written last is the active branch


async def test_a_second_answer_stands_beside_the_first(chat: Chat) -> None:
    first = await chat.stream("one", model="fake-n1")
    again = await chat.stream(None, regenerate=answer_id(first), model="fake-n2")
    assert (question_id(again), answer_id(again) != answer_id(first)) == (question_id(first), True)
    messages = {m["id"]: m for m in await chat.messages(conversation(first))}
    assert len(messages) == 3
    assert messages[answer_id(again)]["parent_id"] == messages[answer_id(first)]["parent_id"] == question_id(first)
    assert messages[answer_id(first)]["content"] == text(first)
    assert await sent(chat, again) == ["user: one"]


async def test_a_stopped_answer_goes_on_in_the_same_message(chat: Chat) -> None:
    async with chat.open("one", model="fake-n100000-d5") as tail:
        await tail.until("delta", 3)
        await chat.stop(tail.run_id)
        first = await tail.rest()
    assert (await chat.message(first))["status"] == "stopped"
    more = await chat.stream(None, model="fake-n3", **{"continue": answer_id(first)})
    assert (answer_id(more), question_id(more)) == (answer_id(first), question_id(first))
    message = await chat.message(more)
    assert (message["status"], message["content"]) == ("complete", text(first) + text(more))
    assert len(await chat.messages(conversation(first))) == 2
    prompt = await sent(chat, more)
    assert prompt[:2] == ["user: one", f"assistant: {text(first)}"]
    assert prompt[2].startswith("user: Go on")
    assert len(await chat.ledger(answer_id(first))) == 2
    resumed = [await chat.resume(frames[0].data["run_id"]) for frames in (first, more)]
    assert [text(r) for r in resumed] == [text(first), text(more)]


async def test_a_failed_answer_keeps_its_text_and_can_go_on(chat: Chat) -> None:
    first = await chat.stream("one", model="fake-n9-x4")
    message = await chat.message(first)
    assert (message["status"], message["content"], len(text(first).split())) == ("failed", text(first), 4)
    assert message["error"]["code"] == "upstream_unavailable"
    more = await chat.stream(None, model="fake-n3", **{"continue": answer_id(first)})
    message = await chat.message(more)
    assert (message["status"], message["error"]) == ("complete", None)
    assert message["content"] == text(first) + text(more)


async def test_while_an_answer_is_written_nothing_may_follow_it(chat: Chat) -> None:
    async with chat.open("one", model="fake-n100000-d5") as tail:
        await tail.until("delta")
        frames = tail.frames
        refused = [
            await chat.ask("two", conversation_id=conversation(frames)),
            await chat.ask("two", conversation_id=conversation(frames), parent_id=answer_id(frames)),
            await chat.ask(None, **{"continue": answer_id(frames)}),
        ]
        assert [r.status_code for r in refused] == [409, 409, 409]
        assert all(r.json()["error"]["code"] == "conflict" for r in refused)
        beside = await chat.stream(None, regenerate=answer_id(frames), model="fake-n1")
        assert beside[-1].kind == "done"
        assert tail.run_id in {m["run_id"] for m in await chat.messages(conversation(frames))}
        await chat.stop(tail.run_id)
        await tail.rest()
    assert (await chat.ask("two", conversation_id=conversation(frames), model="fake-n1")).status_code == 200


async def test_of_two_who_continue_at_once_one_may(chat: Chat) -> None:
    first = await chat.stream("one", model="fake-n1")
    body = {"continue": answer_id(first), "model": "fake-n5-d20"}
    answers = await asyncio.gather(*(chat.ask(None, **body) for _ in range(5)))
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]
    assert len((await chat.message(first))["content"].split()) == 6


@pytest.mark.parametrize("purpose", ["regenerate", "continue"])
async def test_only_answers_can_be_made_again(chat: Chat, purpose: str) -> None:
    first = await chat.stream("one", model="fake-n1")
    answer = await chat.ask(None, **{purpose: question_id(first)})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")


async def test_a_parent_of_another_conversation_is_not_found(chat: Chat) -> None:
    first, other = await chat.stream("one", model="fake-n1"), await chat.stream("two", model="fake-n1")
    answer = await chat.ask("three", conversation_id=conversation(first), parent_id=answer_id(other))
    assert answer.status_code == 404


async def test_history_is_cut_by_whole_turns_and_the_cut_is_on_record(chat: Chat) -> None:
    """The context is 4,096 tokens, of which a quarter is for the answer."""
    rounds = [await chat.stream("question 0 " + "word " * 700, model="fake-n1")]
    for n in range(1, 6):
        question = f"question {n} " + "word " * 700
        rounds.append(await chat.stream(question, model="fake-n1", conversation_id=conversation(rounds[0])))
    (entry,) = await chat.ledger(answer_id(rounds[-1]))
    ids = [i for frames in rounds[:-1] for i in (question_id(frames), answer_id(frames))]
    kept = entry["turns_kept"]
    assert 0 < len(kept) < len(ids)
    assert (len(kept) % 2, kept) == (0, ids[-len(kept) :])
    assert entry["turns_dropped"] == ids[: -len(kept)]
    assert len(entry["messages"]) == 1 + len(kept) + 1
    assert entry["messages"][1]["content"].startswith("question ")
    assert entry["context_tokens"] == 4096


async def test_a_strict_question_without_passages_is_not_asked(chat: Chat, model: Upstream) -> None:
    asked = model.stats.requests
    frames = await chat.stream("anything", strict=True, model="fake-n1")
    assert "not in your documents: nothing in them matches this question" in text(frames)
    assert (frames[-1].data["finish_reason"], model.stats.requests) == ("stop", asked)
    assert (await chat.message(frames))["usage"] is None
