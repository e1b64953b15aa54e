"""Load with little cost of its own: raw connections that count tokens lost, doubled or out of order."""

import asyncio
import json
import re
import time
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import httptools

TOKEN: Final = re.compile(rb"(\d+)@([0-9a-f]+) ")
CONNECT_TIMEOUT_S: Final = 30.0
FETCH_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    token: str = ""

    def head(self, method: str, path: str, length: int, *, content_type: str = "", keep: bool = False) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {length}"]
        lines += [f"Content-Type: {content_type}"] if content_type else []
        lines += [f"Authorization: Bearer {self.token}"] if self.token else []
        lines += [] if keep else ["Connection: close"]
        return "\r\n".join([*lines, "", ""]).encode()

    def request(self, method: str, path: str, body: Mapping[str, object] | None = None, *, keep: bool = False) -> bytes:
        """With a JSON body, or none. `keep`: the connection stays open for the next one."""
        if body is None:
            return self.head(method, path, 0, keep=keep)
        data = json.dumps(body).encode()
        return self.head(method, path, len(data), content_type="application/json", keep=keep) + data


@dataclass(slots=True)
class Tally:
    """Of many streams. Milliseconds; `at_s` is the loop's time of each of `added_ms`."""

    added_ms: "array[float]" = field(default_factory=lambda: array("d"))
    at_s: "array[float]" = field(default_factory=lambda: array("d"))
    first_ms: list[float] = field(default_factory=list)
    tokens: int = 0
    lost: int = 0
    doubled: int = 0
    disordered: int = 0
    failures: list[str] = field(default_factory=list)

    def faults(self) -> list[str]:
        counted = {"lost": self.lost, "doubled": self.doubled, "out of order": self.disordered}
        found = [f"{number} tokens {what}" for what, number in counted.items() if number]
        return found + ([f"{len(self.failures)} streams failed: {self.failures[0]}"] if self.failures else [])


def percentile(values: "Sequence[float] | array[float]", share: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


class Stream(asyncio.Protocol):
    """One request on one connection, its tokens counted into a tally."""

    def __init__(self, request: bytes, want: int, tally: Tally) -> None:
        self._request, self._want, self._tally = request, want, tally
        self._parser = httptools.HttpResponseParser(self)
        self._next = self._got = 0
        self._rest, self._error = b"", ""
        self._began = time.monotonic_ns()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._began = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        now, data = time.monotonic_ns(), self._rest + body
        if self._parser.get_status_code() != 200:
            self._error = f"{self._parser.get_status_code()} {data[:200]!r}"
            return
        end = data.rfind(b"\n\n") + 2
        for index, sent in TOKEN.findall(data[:end]):
            self._count(int(index), int(sent, 16), now)
        if (at := data.find(b"event: error")) >= 0:
            self._error = repr(data[at : at + 200])
        self._rest = data[end:]

    def on_message_complete(self) -> None:
        self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._error = self._error or ("" if self.ended.done() else f"the connection was lost: {exc!r}")
        self._finish()

    def give_up(self, why: str) -> None:
        self._error = self._error or why
        self._finish()

    def _count(self, index: int, sent: int, now: int) -> None:
        tally = self._tally
        if index < self._next:
            tally.doubled += 1
            return
        if index > self._next:
            tally.disordered += 1
        if self._next == 0:
            tally.first_ms.append((now - self._began) / 1e6)
        self._next = index + 1
        self._got += 1
        tally.tokens += 1
        tally.added_ms.append((now - sent) / 1e6)
        tally.at_s.append(now / 1e9)

    def _finish(self) -> None:
        if self.ended.done():
            return
        self.ended.set_result(None)
        self._tally.lost += max(0, self._want - self._got)
        if self._error:
            self._tally.failures.append(self._error)
        self._transport.close()


async def run_streams(address: Address, requests: Sequence[bytes], *, want: int, timeout_s: float) -> Tally:
    """Send all requests at once and read each answer, which should have `want` tokens, to its end."""
    tally = Tally()
    await asyncio.gather(*(run_stream(address, request, tally, want=want, timeout_s=timeout_s) for request in requests))
    return tally


async def run_stream(address: Address, request: bytes, tally: Tally, *, want: int, timeout_s: float) -> None:
    """One of them, counted into `tally`."""
    loop = asyncio.get_running_loop()
    stream = Stream(request, want, tally)
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await loop.create_connection(lambda: stream, address.host, address.port)
    except OSError as error:  # a timeout is one, too
        tally.lost += want
        tally.failures.append(f"cannot connect: {error!r}")
        return
    done, _ = await asyncio.wait({stream.ended}, timeout=timeout_s)
    if not done:
        stream.give_up(f"no end within {timeout_s:g} s")


async def fetch(address: Address, request: bytes) -> bytes:
    """The body of one answer. Raises OSError for any but a 2xx, with what it says."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(request)
        head, _, body = (await asyncio.wait_for(reader.read(-1), FETCH_TIMEOUT_S)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head.startswith(b"HTTP/1.1 2"):
        raise OSError(f"{head[:40]!r} {body[:300]!r}")
    return body


class Repeated(asyncio.Protocol):
    """One request again and again on one connection until `deadline`, by the loop's clock."""

    def __init__(self, request: bytes, deadline: float) -> None:
        self._request, self._deadline = request, deadline
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self.answered = self.failed = 0
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() == 200:
            self.answered += 1
        else:
            self.failed += 1
        if self._loop.time() < self._deadline:
            self._transport.write(self._request)
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


async def repeat(address: Address, request: bytes, *, connections: int, seconds: float) -> tuple[int, int]:
    """How many answers were 200, and how many were not."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    clients = [Repeated(request, deadline) for _ in range(connections)]
    for client in clients:
        await loop.create_connection(lambda c=client: c, address.host, address.port)  # type: ignore[misc]
    await asyncio.wait([client.ended for client in clients], timeout=seconds + CONNECT_TIMEOUT_S)
    return sum(client.answered for client in clients), sum(client.failed for client in clients)
