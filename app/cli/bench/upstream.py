"""A model server that costs little: `python -m app.cli.bench.upstream` prints its port and ends with its input.

The model `bench-n200-d20` sends 200 tokens, 20 ms apart, each in a write of its own. A token is
`<index>@<monotonic ns in hex> `, so that a client on the same machine sees loss, order and delay.
"""

import asyncio
import json
import re
import sys
import time
from typing import Final, cast

import httptools
import uvloop

MODEL: Final = re.compile(r"bench-n(\d+)-d(\d+)\Z")
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
NO_MODELS: Final = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"data":[]}'
BEFORE: Final = b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"'
AFTER: Final = b'"},"finish_reason":null}]}\n\n'
LAST: Final = (
    b'data: {"id":"x","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)
USAGE: Final = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":%d,"total_tokens":%d}}\n\n'
DONE: Final = b"data: [DONE]\n\n"


class Connection(asyncio.Protocol):
    """One client; one answer at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._body = b""
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

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        found = MODEL.match(json.loads(body)["model"]) if body else None
        if found is None:
            self.transport.write(NO_MODELS)
            return
        self.transport.write(HEAD)
        self._answering = Answer(self, int(found[1]), int(found[2]) / 1000)
        self._loop.call_soon(self._answering.step)


class Answer:
    """Writes its tokens on a schedule, or as fast as the client reads."""

    def __init__(self, connection: Connection, tokens: int, pause_s: float) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._tokens, self._pause_s = tokens, pause_s
        self._index, self._began = 0, self._loop.time()

    def step(self) -> None:
        if not self._connection.is_open or not self._connection.may_write or self._index > self._tokens:
            return
        if self._index == self._tokens:
            last = LAST + USAGE % (self._tokens, self._tokens) + DONE
            self._connection.transport.write(_chunk(last) + b"0\r\n\r\n")
            self._index += 1
            return
        token = b"%b%d@%x %b" % (BEFORE, self._index, time.monotonic_ns(), AFTER)
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
