"""A server that answers every request with the same steps, however wrong: for faults below the level of tokens."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.http import read_request, sse
from tests.fakes.upstream import STREAM_HEAD

CHUNKED = STREAM_HEAD
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
END = b"0\r\n\r\n"


class Hang:
    """Say nothing more until the client closes."""


@dataclass(frozen=True)
class Flood:
    """The same again and again until the client closes."""

    data: bytes
    pause_s: float = 0


Step = bytes | float | Hang | Flood


@dataclass
class Seen:
    """What the server saw."""

    url: str = ""
    requests: int = 0
    open: int = 0
    bodies: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)


def token(text: str, finish: str | None = None, **more: object) -> bytes:
    return sse({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}], **more})


def page(status: str, media_type: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def raw_upstream(*steps: Step) -> AsyncIterator[Seen]:
    """Play the steps to every request; then close the connection."""
    seen = Seen()
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await _serve(seen, steps, reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    seen.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield seen
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _serve(seen: Seen, steps: tuple[Step, ...], reader: StreamReader, writer: StreamWriter) -> None:
    seen.open += 1
    try:
        while (request := await read_request(reader)) is not None:
            seen.requests += 1
            seen.bodies.append(request[2])
            seen.asked.set()
            for step in steps:
                await _play(step, reader, writer)
            if steps[-1] != END:
                return
    except ConnectionError:
        pass
    finally:
        seen.open -= 1
        writer.close()


async def _play(step: Step, reader: StreamReader, writer: StreamWriter) -> None:
    match step:
        case bytes():
            writer.write(step)
            await writer.drain()
        case Hang():
            await reader.read()
        case Flood():
            while True:
                writer.write(step.data)
                await writer.drain()
                await asyncio.sleep(step.pause_s)
        case _:
            await asyncio.sleep(step)
