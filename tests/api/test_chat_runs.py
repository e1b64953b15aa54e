"""Runs belong to the service: stop them, leave them, come back to them, ask for them twice."""

import asyncio
from uuid import uuid4

import pytest

from tests.chats import CHAT, Chat, check, text
from tests.fakes.upstream import Upstream

SOON_S = 20


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("status", "fake-f60000"),
        ("delta", "fake-n100000-d5"),
        ("reasoning", "fake-q100000-d5-t1"),
        ("delta", "fake-s3"),
    ],
    ids=["before the first token", "in mid-answer", "while it thinks", "while it is silent"],
)
async def test_stop_closes_the_upstream(chat: Chat, model: Upstream, kind: str, name: str) -> None:
    aborted = model.stats.aborted
    async with chat.open(model=name) as tail:
        await tail.until(kind)
        while model.stats.models[name] == 0:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        stopped = await chat.stop(tail.run_id)
        assert (stopped.status_code, stopped.json()) == (202, {"run_id": tail.run_id, "status": "running"})
        frames = await tail.rest()
    check(frames)
    assert (frames[-1].kind, frames[-1].data["finish_reason"]) == ("done", "stopped")
    await model.lost_client(aborted)
    message = await chat.message(frames)
    assert (message["status"], message["finish_reason"], message["content"]) == ("stopped", "stopped", text(frames))
    tokens = model.stats.tokens
    await asyncio.sleep(0.1)
    assert model.stats.tokens == tokens


async def test_stop_while_it_waits_to_try_again(chat: Chat, model: Upstream) -> None:
    name = f"fake-e503-r30-n{len(model.stats.bodies)}"
    async with chat.open(model=name) as tail:
        status = await tail.until("status", 2)
        assert (status.data["stage"], status.data["attempt"]) == ("retrying", 2)
        assert "503" in status.data["reason"]
        await chat.stop(tail.run_id)
        frames = await tail.rest()
    assert (frames[-1].kind, frames[-1].data["finish_reason"]) == ("done", "stopped")
    assert model.stats.models[name] == 1


async def test_stop_twice_and_after_the_end(chat: Chat) -> None:
    async with chat.open(model="fake-n100000-d5") as tail:
        await tail.until("delta")
        answers = await asyncio.gather(*(chat.stop(tail.run_id) for _ in range(8)))
        assert {a.status_code for a in answers} == {202}
        frames = await tail.rest()
    check(frames)
    late = await chat.stop(tail.run_id)
    assert (late.status_code, late.json()["status"]) == (202, "stopped")
    done = await chat.stream(model="fake-n1")
    late = await chat.stop(done[0].data["run_id"])
    assert (late.status_code, late.json()["status"]) == (202, "done")
    assert (await chat.message(done))["status"] == "complete"
    assert (await chat.stop(str(uuid4()))).status_code == 404


async def test_stop_at_any_moment_gives_one_end(chat: Chat) -> None:
    """Also in the moment in which the run concludes by itself."""

    async def stopped_after(delay_s: float, tokens: int) -> str:
        async with chat.open(model=f"fake-n{tokens}-d2") as tail:
            await tail.until("run")
            await asyncio.sleep(delay_s)
            await chat.stop(tail.run_id)
            frames = await tail.rest()
        check(frames)
        message = await chat.message(frames)
        assert message["content"] == text(frames)
        assert message["finish_reason"] == frames[-1].data["finish_reason"]
        return str(message["status"])

    statuses = await asyncio.gather(*(stopped_after(n * 0.0015, 5000 if n % 4 == 0 else 20) for n in range(40)))
    assert set(statuses) <= {"stopped", "complete"}
    assert "stopped" in statuses


async def test_stop_ends_the_wait_for_a_whole_answer(chat: Chat) -> None:
    conversation = (await chat.stream(model="fake-n1"))[0].data["conversation_id"]
    waiting = asyncio.create_task(chat.ask(model="fake-n100000-d5", conversation_id=conversation))
    run_id = None
    async with asyncio.timeout(SOON_S):
        while run_id is None:
            await asyncio.sleep(0.02)
            run_id = (await chat.messages(conversation))[-1]["run_id"]
    await chat.stop(run_id)
    answer = await waiting
    assert (answer.status_code, answer.json()["message"]["status"]) == (200, "stopped")


async def test_a_client_that_leaves_does_not_stop_the_run(chat: Chat) -> None:
    async with chat.open(model="fake-n60-d10") as tail:
        await tail.until("delta", 2)
    seen = tail.frames
    message = await chat.message(seen)
    assert (message["status"], message["run_id"]) == ("streaming", tail.run_id)
    rest = await chat.resume(tail.run_id, after=seen[-1].id)
    check(rest, after=seen[-1].id)
    whole = text(seen) + text(rest)
    assert [int(t.partition("@")[0]) for t in whole.split()] == list(range(60))
    assert (await chat.message(seen))["content"] == whole


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "٣", "9" * 13, "0x1"])
async def test_a_bad_last_event_id_is_refused(chat: Chat, bad: str) -> None:
    frames = await chat.stream(model="fake-n1")
    path = f"{CHAT}/runs/{frames[0].data['run_id']}/events"
    answer = await chat.http.get(path, headers={"Last-Event-ID": bad.encode()})  # type: ignore[dict-item]
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "validation_error")


async def test_resume_after_the_end_gives_the_rest_or_nothing(chat: Chat) -> None:
    frames = await chat.stream(model="fake-n5-d2")
    run_id = frames[0].data["run_id"]
    for after in range(len(frames)):
        assert await chat.resume(run_id, after) == frames[after:]
    assert await chat.resume(run_id, len(frames)) == []
    assert await chat.resume(run_id, 999_999) == []
    answer = await chat.http.get(f"{CHAT}/runs/{run_id}/events", params={"after": 3})
    assert answer.content.startswith(b"id: 4\n")
    assert (await chat.http.get(f"{CHAT}/runs/{uuid4()}/events")).status_code == 404


async def test_a_retry_with_the_same_key_tails_the_same_run(chat: Chat, model: Upstream) -> None:
    key, name = uuid4().hex, f"fake-n30-d10-f{len(model.stats.bodies)}"
    async with chat.open("one", key=key, model=name) as tail:
        await tail.until("delta", 2)
        again = await chat.stream("one", key=key, model=name)
        assert await tail.rest() == again
    assert await chat.stream("one", key=key, model=name) == again
    answer = await chat.ask("one", key=key, model=name)
    assert (answer.status_code, answer.json()["message"]["content"]) == (200, text(again))
    assert model.stats.models[name] == 1
    other = await chat.ask("two", key=key, model=name)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "validation_error")
    assert key in other.json()["error"]["message"]


async def test_many_with_the_same_key_at_once_ask_once(chat: Chat, stranger: Chat, model: Upstream) -> None:
    key, name = uuid4().hex, f"fake-n10-d5-f{len(model.stats.bodies)}"
    streams = [chat.stream("one", key=key, model=name) for _ in range(12)]
    wholes = [chat.ask("one", key=key, model=name) for _ in range(6)]
    answers, got = await asyncio.gather(asyncio.gather(*wholes), asyncio.gather(*streams))
    assert all(frames == got[0] for frames in got)
    assert {a.json()["message"]["content"] for a in answers} == {text(got[0])}
    assert model.stats.models[name] == 1
    other = await stranger.stream("one", key=key, model=name)  # a key belongs to its user
    assert (other[0].data["run_id"] != got[0][0].data["run_id"], model.stats.models[name]) == (True, 2)


async def test_a_refused_request_does_not_use_up_its_key(chat: Chat) -> None:
    key = uuid4().hex
    assert (await chat.ask("one", key=key, conversation_id=str(uuid4()))).status_code == 404
    assert (await chat.stream("two", key=key, model="fake-n1"))[-1].kind == "done"


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
async def test_a_bad_key_is_refused(chat: Chat, key: str) -> None:
    assert (await chat.ask("one", key=key)).status_code == 422
