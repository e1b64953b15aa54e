"""The fake model server behaves as its model names say, since many tests lean on it."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.fakes.upstream import Upstream


@pytest.fixture
async def http(upstream: Upstream) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=upstream.url, timeout=10) as client:
        yield client


def body(model: str, **options: object) -> dict[str, object]:
    return {"model": model, "messages": [{"role": "user", "content": "hello"}], **options}


async def events(http: httpx.AsyncClient, model: str) -> list[dict[str, object]]:
    request = body(model, stream=True, stream_options={"include_usage": True})
    async with http.stream("POST", "/chat/completions", json=request) as response:
        lines = [line.removeprefix("data: ") async for line in response.aiter_lines() if line]
    assert lines.pop() == "[DONE]"
    return [json.loads(line) for line in lines]


def delta(event: dict[str, object]) -> dict[str, str]:
    choices = event["choices"]
    return choices[0]["delta"] if choices else {}  # type: ignore[index,no-any-return]


@pytest.mark.parametrize("model", ["fake-n5", "fake-n5-b2", "fake-n5-d1", "fake-n5-t1-b5"])
async def test_every_token_comes_once_in_order(http: httpx.AsyncClient, model: str) -> None:
    received = await events(http, model)
    text = "".join(delta(event).get("content", "") for event in received)
    assert [int(token.partition("@")[0]) for token in text.split()] == [0, 1, 2, 3, 4]
    assert received[-1]["usage"] == {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}


async def test_reasoning_comes_before_the_answer(http: httpx.AsyncClient) -> None:
    deltas = [delta(event) for event in await events(http, "fake-n1-q2")]
    assert [next(iter(d)) for d in deltas if d] == ["reasoning_content", "reasoning_content", "content"]


async def test_whole_answer(http: httpx.AsyncClient, upstream: Upstream) -> None:
    response = await http.post("/chat/completions", json=body("fake-n3-l1"), headers={"Authorization": "Bearer k"})
    choice = response.json()["choices"][0]
    assert (len(choice["message"]["content"].split()), choice["finish_reason"]) == (3, "length")
    assert (upstream.stats.authorization, upstream.stats.tokens) == (["Bearer k"], 3)


async def test_error_with_retry_after(http: httpx.AsyncClient) -> None:
    response = await http.post("/chat/completions", json=body("fake-e429-r2"))
    assert (response.status_code, response.headers["Retry-After"]) == (429, "2")


async def test_error_on_the_first_request_only(http: httpx.AsyncClient) -> None:
    statuses = [(await http.post("/chat/completions", json=body("fake-u503"))).status_code for _ in range(3)]
    assert statuses == [503, 200, 200]


async def test_cut_connection(http: httpx.AsyncClient, upstream: Upstream) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await events(http, "fake-x3")
    assert (upstream.stats.tokens, upstream.stats.aborted) == (3, 1)


async def test_garbage_is_no_json(http: httpx.AsyncClient) -> None:
    with pytest.raises(json.JSONDecodeError):
        await events(http, "fake-g3")


async def test_client_that_leaves_ends_the_stream(http: httpx.AsyncClient, upstream: Upstream) -> None:
    for model in ("fake-s2", "fake-n100000-d10", "fake-f60000"):
        async with http.stream("POST", "/chat/completions", json=body(model, stream=True)):
            assert upstream.stats.active == 1
    for _ in range(500):
        if upstream.stats.active == 0:
            break
        await asyncio.sleep(0.01)
    assert (upstream.stats.active, upstream.stats.aborted, upstream.stats.finished) == (0, 3, 0)
    assert upstream.stats.tokens < 100


async def test_models_and_stats_are_listed(http: httpx.AsyncClient, upstream: Upstream) -> None:
    assert "fake-n20" in [model["id"] for model in (await http.get("/models")).json()["data"]]
    assert (await http.get(upstream.url.replace("/v1", "/stats"))).json()["requests"] == 0
