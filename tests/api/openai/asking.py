"""A plain client of the OpenAI surface, and what its answers must be."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.api.people import Person

CHAT = "/v1/chat/completions"
HI = [{"role": "user", "content": "hi"}]


def body(model: str = "fake-n5", **more: object) -> dict[str, Any]:
    return {"model": model, "messages": HI, **more}


async def ask(person: Person, model: str = "fake-n5", **more: object) -> dict[str, Any]:
    answer = await person.http.post(CHAT, json=body(model, **more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def payloads(data: bytes) -> list[Any]:
    """Of the events of a stream. `[DONE]` is given as it is; comments are passed over."""
    lines = [block for block in data.decode().split("\n\n") if block and not block.startswith(":")]
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


async def stream(person: Person, model: str = "fake-n5", **more: object) -> list[Any]:
    """Every chunk of a stream that ended as it should."""
    answer = await person.http.post(CHAT, json=body(model, stream=True, **more))
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    *chunks, done = payloads(answer.content)
    assert done == "[DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    ends = [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]]
    assert [reason for reason in ends if reason] == ends[-1:]
    return chunks


def text(chunks: list[Any], name: str = "content") -> str:
    return "".join(c["choices"][0]["delta"].get(name) or "" for c in chunks if c["choices"])


def refused(answer: httpx.Response, status: int, code: str | None) -> dict[str, Any]:
    """Checks OpenAI's shape and gives the error."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Request-ID"]
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code, error
    assert error["type"] == ("server_error" if status >= 500 else error["type"])
    return error


@asynccontextmanager
async def opened(person: Person, model: str, **more: object) -> AsyncIterator[httpx.Response]:
    """A stream that has begun, whose bytes are the test's to read."""
    async with person.http.stream("POST", CHAT, json=body(model, stream=True, **more)) as response:
        yield response
