"""A model server that costs little: `python -m app.cli.bench.upstream` prints its port and ends with its input.

It speaks OpenAI's and Ollama's wire, and hands out tokens as Keycloak does.

The model `bench-n200-d20` sends 200 tokens, 20 ms apart, each in a write of its own. A token is
`<index>@<monotonic ns in hex> `, so that a client on the same machine sees loss, order and delay.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass
from typing import Final, cast

import httptools
import uvloop

MODEL: Final = re.compile(r"bench-n(\d+)-d(\d+)(?:-\w+)*\Z")
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n"
JSON: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
# Nothing to list and nothing to show, by any wire; and what Keycloak would hand out.
NOTHING: Final = b'{"data":[],"models":[],"model_info":{},"access_token":"t","expires_in":300}'


@dataclass(frozen=True, slots=True)
class Wire:
    """What stands around a token, and after the last one: the number of tokens goes into it twice."""

    head: bytes
    before: bytes
    after: bytes
    end: bytes


OPENAI: Final = Wire(
    HEAD % b"text/event-stream",
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"',
    b'"},"finish_reason":null}]}\n\n',
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}\n\n'
    b"data: [DONE]\n\n",
)
OLLAMA: Final = Wire(
    HEAD % b"application/x-ndjson",
    b'{"model":"x","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"',
    b'"},"done":false}\n',
    b'{"model":"x","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":1,"eval_count":%d,"eval_duration":%d}\n',
)
WIRES: Final = {b"/v1/chat/completions": OPENAI, b"/api/chat": OLLAMA}


class Connection(asyncio.Protocol):
    """One client; one answer at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._path = self._body = b""
        self._answering: Answer | None = None
        self.is_open = self.may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False

    def pause_writing(self) -> None:
        self.may_write = False

    def resume_writing(self) -> None:
        self.may_write = True
        if self._answering is not None:
            self._answering.step()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path, body, self._path, self._body = self._path, self._body, b"", b""
        wire = WIRES.get(path)
        found = None if wire is None else MODEL.match(json.loads(body)["model"])
        if wire is None or found is None:
            self.transport.write(JSON % (len(NOTHING), NOTHING))
            return
        self.transport.write(wire.head)
        self._answering = Answer(self, wire, int(found[1]), int(found[2]) / 1000)
        self._loop.call_soon(self._answering.step)


class Answer:
    """Writes its tokens on a schedule, or as fast as the client reads."""

    def __init__(self, connection: Connection, wire: Wire, tokens: int, pause_s: float) -> None:
        self._connection, self._wire = connection, wire
        self._loop = asyncio.get_running_loop()
        self._tokens, self._pause_s = tokens, pause_s
        self._index, self._began = 0, self._loop.time()

    def step(self) -> None:
        if not self._connection.is_open or not self._connection.may_write or self._index > self._tokens:
            return
        if self._index == self._tokens:
            last = self._wire.end % (self._tokens, self._tokens)
            self._connection.transport.write(_chunk(last) + b"0\r\n\r\n")
            self._index += 1
            return
        token = b"%b%d@%x %b" % (self._wire.before, self._index, time.monotonic_ns(), self._wire.after)
        self._connection.transport.write(_chunk(token))
        self._index += 1
        if self._pause_s:
            self._loop.call_at(self._began + self._index * self._pause_s, self.step)
        else:
            self._loop.call_soon(self.step)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(serve())
