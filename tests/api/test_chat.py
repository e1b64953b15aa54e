"""Ask and be answered: what is said, what is stored, what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.api.people import Person
from tests.chats import CHAT, Chat, text
from tests.fakes.upstream import Upstream
from tests.service import Service


@pytest.fixture(scope="module")
async def refused(chatting: Service) -> AsyncIterator[Chat]:
    """A user who never gets anything stored."""
    person = await Person.of(chatting)
    yield Chat(person.http)
    await person.aclose()


async def test_an_answer_is_streamed_stored_and_on_record(chat: Chat) -> None:
    async with chat.open("What is it?\nTell me.", model="fake-n20-d2-q3") as tail:
        frames = await tail.rest()
        assert tail.response.headers["content-type"].startswith("text/event-stream")
        assert tail.response.headers["cache-control"] == "no-store"
        assert tail.response.headers["x-accel-buffering"] == "no"
    kinds = list(dict.fromkeys(f.kind for f in frames))
    assert kinds == ["run", "status", "reasoning", "delta", "usage", "done"]
    assert [f.id for f in frames] == list(range(1, len(frames) + 1))
    run, usage, done = frames[0].data, frames[-2].data, frames[-1].data
    assert (run["model_source"], run["model"]) == ("openai", "fake-n20-d2-q3")
    assert done == {"finish_reason": "stop", "message_id": run["message_id"]}
    assert (usage["completion_tokens"], usage["counted_by"]) == (20, "provider")
    assert usage["ttft_ms"] > 0
    assert usage["tokens_per_s"] > 0
    assert [t.partition("@")[0] for t in text(frames).split()] == [str(n) for n in range(20)]

    question, answer = await chat.messages(run["conversation_id"])
    assert (question["id"], question["role"], question["content"]) == (
        run["user_message_id"],
        "user",
        "What is it?\nTell me.",
    )
    assert (answer["id"], answer["parent_id"], answer["role"]) == (run["message_id"], question["id"], "assistant")
    assert (answer["content"], answer["reasoning"]) == (text(frames), "r0 r1 r2 ")
    assert (answer["status"], answer["finish_reason"], answer["error"]) == ("complete", "stop", None)
    assert (answer["model_source"], answer["model"], answer["usage"]) == ("openai", "fake-n20-d2-q3", usage)
    conversation = (await chat.http.get(f"/api/v1/conversations/{run['conversation_id']}")).json()
    assert conversation["title"] == "What is it?"

    (entry,) = await chat.ledger(run["message_id"])
    assert entry["run_id"] == run["run_id"]
    assert (entry["counted_by"], entry["prompt_tokens"]) == ("provider", usage["prompt_tokens"])
    assert [m["role"] for m in entry["messages"]] == ["system", "user"]
    assert entry["messages"][1]["content"] == "What is it?\nTell me."
    assert (entry["turns_kept"], entry["turns_dropped"], entry["passages"]) == ([], [], [])


async def test_without_a_stream(chat: Chat) -> None:
    answer = await chat.ask(model="fake-n5", temperature=0, max_tokens=9, system_prompt="Be brief.")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["message"]["status"], len(body["message"]["content"].split())) == ("complete", 5)
    (entry,) = await chat.ledger(body["message"]["id"])
    assert (entry["temperature"], entry["max_tokens"], entry["system_prompt"]) == (0, 9, "Be brief.")
    assert (await chat.messages(body["conversation_id"]))[1] == body["message"]
    assert [f.kind for f in await chat.resume(body["run_id"])][-1] == "done"


async def test_the_default_model_is_the_configured_one(chat: Chat, model: Upstream) -> None:
    frames = await chat.stream()
    assert (frames[0].data["model_source"], frames[0].data["model"]) == ("openai", "fake-n20")


async def test_the_models_limit_is_told(chat: Chat) -> None:
    frames = await chat.stream(model="fake-n3-l1")
    assert frames[-1].data["finish_reason"] == "length"
    assert (await chat.message(frames))["finish_reason"] == "length"


async def test_passages_answer_without_a_model(chat: Chat) -> None:
    frames = await chat.stream("anything", model_source="passages")
    assert "No language model is configured" in text(frames)
    assert (frames[0].data["model_source"], frames[0].data["model"]) == ("passages", None)
    assert (await chat.message(frames))["status"] == "complete"
    long = await chat.stream("中" * 50_000, model_source="passages")  # no model, so no context to overflow
    assert long[-1].kind == "done"


async def test_feedback(chat: Chat, stranger: Chat) -> None:
    frames = await chat.stream()
    path = f"{CHAT}/messages/{frames[0].data['message_id']}/feedback"
    assert (await chat.http.put(path, json={"rating": 1, "comment": "good"})).status_code == 204
    assert (await chat.message(frames))["feedback"] == {"rating": 1, "comment": "good"}
    assert (await chat.http.put(path, json={"rating": 7})).status_code == 422
    assert (await stranger.http.put(path, json={"rating": -1})).status_code == 404
    assert (await chat.message(frames))["feedback"]["rating"] == 1


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({}, 422, "validation_error", "exactly one of"),
        ({"message": ""}, 422, "validation_error", "empty"),
        ({"message": " \n\t"}, 422, "validation_error", "empty"),
        ({"message": "a\0b"}, 422, "validation_error", "NUL"),
        ({"message": "x" * 100_001}, 413, "too_large", "100001"),
        ({"message": "x" * 1_000_000}, 413, "too_large", ""),
        ({"message": "x", "system_prompt": "\0"}, 422, "validation_error", "NUL"),
        ({"message": "x", "model_source": "nobody"}, 404, "not_found", "openai, local, ollama, passages"),
        ({"message": "x", "temperature": 3}, 422, "validation_error", "temperature"),
        ({"message": "x", "max_tokens": 0}, 422, "validation_error", "max_tokens"),
        ({"message": "x", "mesage": "x"}, 422, "validation_error", "mesage"),
        ({"message": "x", "conversation_id": "1"}, 422, "validation_error", "conversation_id"),
        ({"message": "x", "conversation_id": str(uuid4())}, 404, "not_found", "conversation"),
        ({"message": "x", "file_ids": [str(uuid4())]}, 404, "not_found", "file"),
        ({"message": "x", "parent_id": str(uuid4())}, 422, "validation_error", "parent_id"),
        ({"message": "x", "regenerate": str(uuid4())}, 422, "validation_error", "exactly one of"),
        ({"regenerate": str(uuid4())}, 404, "not_found", "message"),
        ({"continue": str(uuid4())}, 404, "not_found", "message"),
    ],
)
async def test_refused_before_anything_is_stored(
    refused: Chat, body: dict[str, object], status: int, code: str, said: str
) -> None:
    for path in (CHAT, f"{CHAT}/stream"):
        answer = await refused.http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert said in json.dumps(answer.json()["error"], ensure_ascii=False)
    assert (await refused.http.get("/api/v1/conversations")).json()["items"] == []


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"message": "\xff"}', b'{"message": "\\ud800"}', b""])
async def test_bodies_that_are_no_json(refused: Chat, raw: bytes) -> None:
    answer = await refused.http.post(f"{CHAT}/stream", content=raw, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "validation_error"


async def test_a_question_over_the_context_is_refused_with_both_figures(chat: Chat, model: Upstream) -> None:
    asked = model.stats.requests
    answer = await chat.ask("word " * 5000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "context_overflow")
    details = answer.json()["error"]["details"]
    assert details["needed_tokens"] > details["available_tokens"] > 0
    assert str(details["needed_tokens"]) in answer.json()["error"]["message"]
    assert model.stats.requests == asked


async def test_a_stored_question_over_the_context_cannot_be_answered_again(chat: Chat) -> None:
    frames = await chat.stream("word " * 5000, model_source="passages")
    answer = await chat.ask(None, regenerate=frames[0].data["message_id"], model_source="openai")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "context_overflow")
    assert len(await chat.messages(frames[0].data["conversation_id"])) == 2


async def test_nobody_asks_without_signing_in(chat: Chat) -> None:
    for path in (CHAT, f"{CHAT}/stream"):
        answer = await chat.http.post(path, json={"message": "x"}, headers={"Authorization": ""})
        assert answer.status_code == 401


async def test_what_is_anothers_is_not_found(chat: Chat, stranger: Chat) -> None:
    frames = await chat.stream()
    run = frames[0].data
    calls = [
        stranger.ask("x", conversation_id=run["conversation_id"]),
        stranger.ask(None, regenerate=run["message_id"]),
        stranger.ask(None, **{"continue": run["message_id"]}),
        stranger.stop(run["run_id"]),
        stranger.http.get(f"{CHAT}/runs/{run['run_id']}/events"),
        stranger.http.get(f"{CHAT}/messages/{run['message_id']}/ledger"),
    ]
    assert [answer.status_code for answer in await asyncio.gather(*calls)] == [404] * len(calls)
    assert len(await chat.messages(run["conversation_id"])) == 2


async def test_many_new_chats_at_the_same_moment(chat: Chat) -> None:
    answers = await asyncio.gather(*(chat.stream(f"question {n}", model="fake-n3-d5") for n in range(64)))
    assert all(frames[-1].kind == "done" for frames in answers)
    assert len({frames[0].data["conversation_id"] for frames in answers}) == 64


async def test_a_conversation_may_be_deleted_while_it_answers(chat: Chat, model: Upstream) -> None:
    async with chat.open(model="fake-n100000-d10") as tail:
        await tail.until("delta", 3)
        run = tail.frames[0].data
        answer = await chat.http.delete(f"/api/v1/conversations/{run['conversation_id']}")
        assert answer.status_code == 204
        frames = await tail.rest()
    assert (frames[-1].kind, frames[-1].data["finish_reason"]) == ("done", "stopped")
    assert (await chat.http.get(f"/api/v1/conversations/{run['conversation_id']}")).status_code == 404
    assert (await chat.http.get(f"{CHAT}/runs/{run['run_id']}/events")).status_code == 404
