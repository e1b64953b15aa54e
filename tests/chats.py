"""A client of the chat: asks, reads the stream frame by frame, leaves and comes back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

CHAT = "/api/v1/chat"
TERMINAL = {"done", "error"}


@dataclass(frozen=True)
class Frame:
    id: int
    kind: str
    data: Any


def parse(data: bytes) -> list[Frame]:
    """Whole frames; comments are passed over."""
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
        if lines:
            found.append(Frame(int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return found


def text(frames: list[Frame]) -> str:
    return "".join(f.data["text"] for f in frames if f.kind == "delta")


def check(frames: list[Frame], *, after: int = 0) -> None:
    """What every complete stream must be: strictly increasing numbers, exactly one terminal event, at the end."""
    numbers = [f.id for f in frames]
    assert numbers == sorted(set(numbers))
    assert all(n > after for n in numbers)
    assert [f.kind for f in frames if f.kind in TERMINAL] == [frames[-1].kind]


class Tail:
    """A stream that is being read. `frames` are those read so far."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.frames: list[Frame] = []
        self._reading = self._read()

    async def until(self, kind: str, count: int = 1) -> Frame:
        """Read on to the `count`th frame of this kind from here."""
        async for frame in self._reading:
            count -= frame.kind == kind
            if count == 0:
                return frame
        raise AssertionError(f"the stream ended without {kind!r}: {self.frames[-3:]}")

    async def rest(self) -> list[Frame]:
        """Read to the end, and give everything from the start."""
        async for _ in self._reading:
            pass
        return self.frames

    @property
    def run_id(self) -> str:
        return str(self.frames[0].data["run_id"])

    async def _read(self) -> AsyncIterator[Frame]:
        buffer = b""
        async for data in self.response.aiter_raw():
            *blocks, buffer = (buffer + data).split(b"\n\n")
            for block in blocks:
                for frame in parse(block):
                    self.frames.append(frame)
                    yield frame


class Chat:
    """One user's chat."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    @asynccontextmanager
    async def open(
        self, message: str | None = "hello", *, key: str | None = None, **body: object
    ) -> AsyncIterator[Tail]:
        async with self.http.stream("POST", f"{CHAT}/stream", json=_body(message, body), headers=_key(key)) as response:
            assert response.status_code == 200, await response.aread()
            yield Tail(response)

    async def stream(self, message: str | None = "hello", *, key: str | None = None, **body: object) -> list[Frame]:
        """Ask and read to the end."""
        async with self.open(message, key=key, **body) as tail:
            frames = await tail.rest()
        check(frames)
        return frames

    async def ask(self, message: str | None = "hello", *, key: str | None = None, **body: object) -> httpx.Response:
        """Ask without a stream."""
        return await self.http.post(CHAT, json=_body(message, body), headers=_key(key))

    @asynccontextmanager
    async def reopen(self, run_id: str, after: int) -> AsyncIterator[Tail]:
        headers = {"Last-Event-ID": str(after)} if after else {}
        async with self.http.stream("GET", f"{CHAT}/runs/{run_id}/events", headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            yield Tail(response)

    async def resume(self, run_id: str, after: int = 0) -> list[Frame]:
        async with self.reopen(run_id, after) as tail:
            return await tail.rest()

    async def stop(self, run_id: str) -> httpx.Response:
        return await self.http.post(f"{CHAT}/runs/{run_id}/stop")

    async def messages(self, conversation_id: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/api/v1/conversations/{conversation_id}/messages", params={"limit": 200})
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def message(self, frames: list[Frame]) -> dict[str, Any]:
        """The stored message of a stream."""
        start = frames[0].data
        return next(m for m in await self.messages(start["conversation_id"]) if m["id"] == start["message_id"])

    async def ledger(self, message_id: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"{CHAT}/messages/{message_id}/ledger")
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries


def _body(message: str | None, body: dict[str, object]) -> dict[str, object]:
    return {**({} if message is None else {"message": message}), **body}


def _key(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Idempotency-Key": key}
