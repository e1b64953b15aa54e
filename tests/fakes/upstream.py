"""A fake OpenAI-compatible server. The model's name says how it behaves: letters with numbers after dashes.

n<count> tokens to send (20)          d<ms> pause between tokens (0)        f<ms> pause before the first token (0)
b<count> tokens per write (1)         q<count> reasoning tokens first (0)   t<ms> pause between bytes: a trickle (0)
e<status> answer with this error      u<status> the same, the first time only   r<s> Retry-After with that error
x<count> cut the connection after so many tokens      s<count> say nothing more after so many
g<count> garbage after so many        l1 finish_reason is "length"
c1 calls tools instead of writing       p1 logprobs with each token   j1 writes JSON   o1 the error is an overflow
m<number> tokens are those of a text in tests/fakes/answers.py, again and again when more are to be sent

The model `fake-asked` behaves as the last such name in the conversation says, so that a question can choose.
`fake-n200-d20` sends 200 tokens, 20 ms apart. A token is `<index>@<monotonic ns in hex> `, so that a client sees loss,
order and delay. Run it alone with `python -m tests.fakes.upstream PORT`.
"""

import asyncio
import json
import re
import sys
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from tests.fakes import extras
from tests.fakes.answers import pieces
from tests.fakes.http import answer, read_request, sse

PART = re.compile(r"-([ndfbqteurxsglmcpjo])(\d+(?:\.\d+)?)(?=-|$)")
ASKED, NAME = "fake-asked", re.compile(r"fake(?:-[a-z]\d+(?:\.\d+)?)+")
MODELS = ("fake-n20", "fake-n200-d20", "fake-n200")
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
GARBAGE = b"data: {not json\n\n\x00\xff\xfe event: ?\n\n"


@dataclass
class Stats:
    requests: int = 0
    active: int = 0  # streams that are being written
    finished: int = 0
    aborted: int = 0  # streams whose client closed before the end
    tokens: int = 0
    errors: int = 0
    models: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, object]] = field(default_factory=list)
    authorization: list[str] = field(default_factory=list)


class Closed(Exception):
    """The client is gone."""


class Plan:
    """What one model name asks for."""

    def __init__(self, model: str) -> None:
        parts = {key: float(value) for key, value in PART.findall(model)}
        self.words = pieces(int(parts["m"])) if "m" in parts else extras.JSON_PIECES if "j" in parts else []
        self.calls = extras.calls() if "c" in parts else []
        self.logprobs, self.overflows = "p" in parts, "o" in parts
        self.tokens = int(parts.get("n", len(self.words or self.calls) or 20))
        self.pause_s = parts.get("d", 0) / 1000
        self.first_s = parts.get("f", 0) / 1000
        self.byte_s = parts.get("t", 0) / 1000
        self.burst = max(1, int(parts.get("b", 1)))
        self.reasoning = int(parts.get("q", 0))
        self.error, self.first_error = int(parts.get("e", 0)), int(parts.get("u", 0))
        self.retry_after = parts.get("r")
        self.faults = {int(parts[key]): key for key in "xsg" if key in parts}
        self.finish = "length" if "l" in parts else "tool_calls" if self.calls else "stop"

    def event(self, index: int) -> tuple[dict[str, object], object]:
        """The delta of a token, and its logprobs."""
        if self.calls:
            return self.calls[index], None
        text = self.token(index)
        return {"content": text}, {"content": [extras.logprob(text)]} if self.logprobs else None

    def token(self, index: int) -> str:
        return self.words[index % len(self.words)] if self.words else f"{index}@{time.monotonic_ns():x} "


class Upstream:
    """`with Upstream() as up:` serves `up.url` from a thread; `up.stats` counts. `bearer`: what it wants to see."""

    bearer: str | None = None

    def __init__(self, port: int = 0) -> None:
        self.stats = Stats()
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def lost_client(self, aborted_before: int) -> None:
        """Wait until one more stream has lost its client: a closed connection is noticed a moment later."""
        async with asyncio.timeout(20):
            while self.stats.aborted == aborted_before:  # noqa: ASYNC110 - another thread counts
                await asyncio.sleep(0.01)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.serve())

    async def serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", self.port, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                await self._answer(*request, reader, writer)
        except (Closed, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(
        self,
        route: str,
        headers: dict[str, str],
        body: bytes,
        reader: StreamReader,
        writer: StreamWriter,
    ) -> None:
        if route == "GET /stats":
            writer.write(answer(200, vars(self.stats)))
        elif route == "GET /v1/models":
            writer.write(answer(200, {"object": "list", "data": [{"id": m, "object": "model"} for m in MODELS]}))
        elif route == "POST /v1/chat/completions":
            await self._chat(json.loads(body), headers, reader, writer)
        elif route == "POST /v1/embeddings":
            self.stats.bodies.append(json.loads(body))
            writer.write(answer(200, extras.embeddings(self.stats.bodies[-1])))
        else:
            writer.write(answer(404, {"error": {"message": f"no route {route!r}"}}))

    answers: type["Answer"]

    async def _chat(
        self,
        body: dict[str, object],
        headers: dict[str, str],
        reader: StreamReader,
        writer: StreamWriter,
    ) -> None:
        model = str(body.get("model"))
        plan = Plan(model if model != ASKED else (NAME.findall(str(body["messages"])) or [ASKED])[-1])
        self.stats.requests += 1
        self.stats.models[model] += 1
        self.stats.bodies.append(body)
        self.stats.authorization.append(headers.get("authorization", ""))
        if self.bearer is not None and headers.get("authorization") != f"Bearer {self.bearer}":
            writer.write(answer(401, {"error": {"message": "invalid token"}}))
            return
        error = plan.error or (plan.first_error if self.stats.models[model] == 1 else 0)
        if error:
            self.stats.errors += 1
            retry = "" if plan.retry_after is None else f"Retry-After: {plan.retry_after:g}\r\n"
            writer.write(answer(error, extras.error(error, overflow=plan.overflows), retry))
            return
        watch = asyncio.create_task(reader.read(1))  # ends when the client closes
        self.stats.active += 1
        try:
            await self.answers(plan, body, self.stats, writer, watch).send()
            self.stats.finished += 1
        except (Closed, ConnectionError):
            self.stats.aborted += 1
            raise
        finally:
            self.stats.active -= 1
            watch.cancel()
            await asyncio.wait({watch})  # two may not wait on one reader
            if not watch.cancelled():
                watch.exception()


class Answer:
    """One answer on its way to one client."""

    head = STREAM_HEAD

    def __init__(
        self,
        plan: Plan,
        body: dict[str, object],
        stats: Stats,
        writer: StreamWriter,
        watch: "asyncio.Task[bytes]",
    ) -> None:
        self.plan, self.body, self.stats, self.writer, self.watch = plan, body, stats, writer, watch
        options = body.get("stream_options")
        self.wants_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        prompt = sum(len(str(m)) for m in body.get("messages", [])) // 4  # type: ignore[attr-defined]
        self.usage = {"prompt_tokens": prompt, "completion_tokens": plan.tokens, "total_tokens": prompt + plan.tokens}

    async def send(self) -> None:
        if self.body.get("stream"):
            await self._stream()
        else:
            await self._whole()

    async def _stream(self) -> None:
        self.writer.write(self.head)
        await self._pause(self.plan.first_s)
        for index in range(self.plan.reasoning):
            await self._write(self._event({"reasoning_content": f"r{index} "}))
        start, buffer = time.monotonic(), bytearray()
        for index in range(self.plan.tokens):
            await self._fault(self.plan.faults.get(index), buffer)
            if self.plan.pause_s and index:
                await self._pause(start + index * self.plan.pause_s - time.monotonic())
            buffer += self._event(*self.plan.event(index))
            self.stats.tokens += 1
            if (index + 1) % self.plan.burst == 0 or index + 1 == self.plan.tokens:
                await self._write(bytes(buffer))
                buffer.clear()
        for last in self._end():
            await self._write(last)
        self.writer.write(b"0\r\n\r\n")

    def _end(self) -> list[bytes]:
        usage = sse({"object": "chat.completion.chunk", "choices": [], "usage": self.usage})
        return [self._event({}, finish=self.plan.finish), *([usage] if self.wants_usage else []), b"data: [DONE]\n\n"]

    async def _whole(self) -> None:
        await self._pause(self.plan.first_s + self.plan.pause_s * self.plan.tokens)
        text = "".join(map(self.plan.token, range(self.plan.tokens)))
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": self.plan.finish}
        self.stats.tokens += self.plan.tokens
        whole = {"object": "chat.completion", "model": self.body["model"], "choices": [choice], "usage": self.usage}
        self.writer.write(answer(200, whole))

    def _event(self, delta: dict[str, object], logprobs: object = None, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return sse({"id": "x", "object": "chat.completion.chunk", "model": self.body["model"], "choices": [choice]})

    async def _fault(self, kind: str | None, buffer: bytearray) -> None:
        if kind is None:
            return
        await self._write(bytes(buffer))
        buffer.clear()
        if kind == "g":
            await self._write(GARBAGE)
        elif kind == "s":
            await asyncio.wait({self.watch})
            raise Closed
        elif kind == "x":
            await self.writer.drain()
            self.writer.transport.abort()
            raise ConnectionAbortedError

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        if self.watch.done():
            raise Closed
        framed = b"%x\r\n%b\r\n" % (len(data), data)
        if self.plan.byte_s:
            for position in range(len(framed)):
                self.writer.write(framed[position : position + 1])
                await self._pause(self.plan.byte_s)
        else:
            self.writer.write(framed)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but end at once when the client closes."""
        if seconds > 0:
            done, _ = await asyncio.wait({self.watch}, timeout=seconds)
            if done:
                raise Closed


Upstream.answers = Answer


if __name__ == "__main__":
    asyncio.run(Upstream(int(sys.argv[1])).serve())
