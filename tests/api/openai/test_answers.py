"""Answers, whole and as streams, and how a stream ends when its client or the model leaves."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.api.openai.asking import CHAT, ask, body, opened, payloads, refused, stream, text
from tests.api.people import Person
from tests.fakes.extras import CALLS, logprob
from tests.fakes.upstream import Upstream
from tests.service import Service

FIGURES = {
    *("model_source", "model", "counted_by", "ttft_ms", "tokens_per_s", "queue_ms", "prompt_ms", "cost", "attempts"),
    "fell_back_from",
}
SOON_S = 10


def tokens(said: str) -> list[int]:
    return [int(index) for index in re.findall(r"(\d+)@", said)]


async def test_a_whole_answer(person: Person) -> None:
    found = await ask(person, "openai/fake-n20-q2")
    assert found["object"] == "chat.completion"
    assert found["id"].startswith("chatcmpl-")
    assert (found["model"], found["system_fingerprint"]) == ("openai/fake-n20-q2", None)
    (choice,) = found["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    message = choice["message"]
    assert (message["role"], message["refusal"], message["reasoning_content"]) == ("assistant", None, "r0 r1 ")
    assert tokens(message["content"]) == list(range(20))
    usage = found["usage"]
    assert (usage["completion_tokens"], usage["total_tokens"]) == (20, usage["prompt_tokens"] + 20)
    assert set(found["llama_service"]) == FIGURES
    assert (found["llama_service"]["model"], found["llama_service"]["counted_by"]) == ("fake-n20-q2", "provider")


async def test_a_stream_says_the_same(person: Person) -> None:
    chunks = await stream(person, "openai/fake-n20-q2", stream_options={"include_usage": True})
    assert tokens(text(chunks)) == list(range(20))
    assert text(chunks, "reasoning_content") == "r0 r1 "
    assert {chunk["model"] for chunk in chunks} == {"openai/fake-n20-q2"}
    *before, last = chunks
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 20
    assert {chunk["usage"] for chunk in before} == {None}
    assert set(before[-1]["llama_service"]) == FIGURES
    assert before[-1]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}


async def test_a_stream_has_no_usage_unless_it_is_asked_for(person: Person) -> None:
    assert not [chunk for chunk in await stream(person) if "usage" in chunk]


async def test_the_end_of_a_model_that_wrote_enough(person: Person) -> None:
    assert (await ask(person, "fake-n3-l1"))["choices"][0]["finish_reason"] == "length"
    assert (await stream(person, "fake-n3-l1"))[-1]["choices"][0]["finish_reason"] == "length"


async def test_tool_calls_come_in_pieces_or_whole(person: Person) -> None:
    chunks = await stream(person, "fake-c1")
    pieces = [call for c in chunks for call in c["choices"][0]["delta"].get("tool_calls", ())]
    for index, (call_id, name, arguments) in enumerate(CALLS):
        mine = [piece for piece in pieces if piece["index"] == index]
        assert (mine[0]["id"], mine[0]["function"]["name"]) == (call_id, name)
        assert "".join(piece["function"]["arguments"] for piece in mine) == "".join(arguments)
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    choice = (await ask(person, "fake-c1"))["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "tool_calls")
    assert choice["message"]["tool_calls"] == [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": "".join(arguments)}}
        for call_id, name, arguments in CALLS
    ]


async def test_logprobs(person: Person) -> None:
    choice = (await ask(person, "fake-p1-j1", logprobs=True))["choices"][0]
    wanted = [logprob(piece) for piece in ('{"name": ', '"Ann", ', '"age": ', "41}")]
    assert choice["logprobs"] == {"content": wanted, "refusal": None}
    chunks = await stream(person, "fake-p1-j1", logprobs=True)
    found = [entry for c in chunks for entry in (c["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert found == wanted
    assert json.loads(text(chunks)) == {"name": "Ann", "age": 41}


@pytest.mark.parametrize("name", ["fake-n7", "openai/fake-n7", "openai/fake-n7-m1"])
async def test_models_by_every_name(person: Person, model: Upstream, name: str) -> None:
    assert (await ask(person, name))["model"] == name
    assert model.stats.bodies[-1]["model"] == name.removeprefix("openai/")


async def test_the_source_alone_is_its_default_model(person: Person, model: Upstream) -> None:
    found = await ask(person, "openai")
    assert (found["model"], model.stats.bodies[-1]["model"]) == ("openai", "fake-n20")


async def test_passages_answer_without_a_model(person: Person) -> None:
    assert "No language model is configured" in (await ask(person, "passages"))["choices"][0]["message"]["content"]


async def test_a_client_that_leaves_ends_the_model_in_mid_answer(person: Person, model: Upstream) -> None:
    aborted = model.stats.aborted
    async with opened(person, "fake-n1000-d5") as response:
        async for _ in response.aiter_raw():
            break
    await model.lost_client(aborted)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_client_that_leaves_ends_the_model_before_the_first_token(
    person: Person, model: Upstream, streamed: bool
) -> None:
    aborted, requests = model.stats.aborted, model.stats.requests
    asking = asyncio.create_task(person.http.post(CHAT, json=body("fake-n5-f60000", stream=streamed)))
    async with asyncio.timeout(SOON_S):
        while model.stats.requests == requests:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.005)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await model.lost_client(aborted)


async def test_an_error_after_the_first_token_is_one_event(person: Person) -> None:
    async with opened(person, "fake-n9-d1-x5") as response:
        found = payloads(await response.aread())
    assert response.status_code == 200
    *chunks, error = found
    assert tokens(text(chunks)) == list(range(5))
    assert set(error) == {"error"}
    assert (error["error"]["type"], error["error"]["code"]) == ("server_error", "upstream_unavailable")
    assert "[DONE]" not in found


async def test_an_error_in_mid_answer_is_a_status_for_who_waits_for_all(person: Person) -> None:
    refused(await person.http.post(CHAT, json=body("fake-n9-d1-x5")), 503, "upstream_unavailable")


async def test_headers(person: Person) -> None:
    whole = await person.http.post(CHAT, json=body(), headers={"X-Request-ID": "mine"})
    streamed = await person.http.post(CHAT, json=body(stream=True))
    assert whole.headers["X-Request-ID"] == "mine"
    assert streamed.headers["X-Accel-Buffering"] == "no"
    assert {a.headers["Cache-Control"] for a in (whole, streamed)} == {"no-store"}


@pytest.fixture(scope="module")
async def narrow(tmp_path_factory: pytest.TempPathFactory, model: Upstream) -> AsyncIterator[Person]:
    """A user of a service whose model gives one answer at a time."""
    env = {"OPENAI_BASE_URL": model.url, "OPENAI_MODEL": "fake-n20", "MAX_CONCURRENT_ANSWERS": "1"}
    service = Service(tmp_path_factory.mktemp("narrow"), {**env, "MAX_WAITING_ANSWERS": "1"})
    person = await Person.of(service)
    yield person
    await person.aclose()
    service.kill()


async def queued(person: Person) -> "asyncio.Task[httpx.Response]":
    """A request that waits: of two at once there is room for one, and the other is refused."""
    async with asyncio.timeout(SOON_S):
        while True:
            both = [asyncio.create_task(person.http.post(CHAT, json=body("fake-n1"))) for _ in range(2)]
            (first, *more), waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            error = refused(first.result(), 503, "model_unavailable")
            assert "wait already" in error["message"]
            assert int(first.result().headers["Retry-After"]) > 0
            if waiting and not more:
                return waiting.pop()


async def test_a_client_that_leaves_the_queue_makes_room(narrow: Person, model: Upstream) -> None:
    async with opened(narrow, "fake-n100000-d5") as first:
        reading = first.aiter_raw()  # kept: its end would close the stream
        await anext(reading)
        leaving = await queued(narrow)
        requests = model.stats.requests
        leaving.cancel()
        staying = await queued(narrow)
    assert (await staying).status_code == 200
    assert model.stats.requests == requests + 1
