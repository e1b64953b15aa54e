"""Stands between a service and its model server and breaks the connection in a known way at a known moment."""

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from socket import SO_LINGER, SOL_SOCKET
from typing import Final

READ_BYTES: Final = 65536
TOKENS_FIRST: Final = 3  # that pass before a fault in mid-answer
LATENCY_S: Final = 0.3
TRICKLE_S: Final = 0.05  # between two bytes
FOR_EVER_S: Final = 3600.0
HEAD_END: Final = b"\r\n\r\n"


class Mode(StrEnum):
    REFUSE = "refuse"  # a reset
    CUT = "cut"  # an orderly end in the middle
    BLACKHOLE = "blackhole"  # nothing is read or written any more
    STALL = "stall"  # read, but never answered
    LATENCY = "latency"  # late, then well
    SLOW = "slow"  # a byte at a time
    HTTP503 = "http503"
    GARBAGE = "garbage"


class Moment(StrEnum):
    CONNECT = "connect"
    FIRST = "before the first token"
    MIDDLE = "in mid-answer"


class FaultProxy:
    """Passes everything on until it is told to break the connections."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._fault: tuple[Mode, Moment] | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def break_by(self, mode: Mode, moment: Moment) -> None:
        """Every connection from now on. Those that are open end."""
        await self.end()
        self._fault = (mode, moment)

    async def end(self) -> None:
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await self._pass_on(reader, writer)
        finally:
            writer.close()

    async def _pass_on(self, reader: StreamReader, writer: StreamWriter) -> None:
        fault = self._fault
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            if fault is not None and fault[1] is Moment.CONNECT and not await AT_CONNECT[fault[0]](reader, writer):
                return
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            upwards = asyncio.create_task(pump(reader, server_writer))
            try:
                await self._downwards(fault, reader, (server_reader, writer))
            finally:
                upwards.cancel()
                server_writer.close()

    async def _downwards(
        self, fault: tuple[Mode, Moment] | None, client: StreamReader, pipe: tuple[StreamReader, StreamWriter]
    ) -> None:
        source, writer = pipe
        if fault is not None and fault[1] is not Moment.CONNECT:
            writer.write(await source.readuntil(HEAD_END))
            if fault[1] is Moment.MIDDLE:
                for _ in range(TOKENS_FIRST):
                    writer.write(await source.readuntil(b"\n\r\n"))
            await writer.drain()
            if fault[0] is Mode.SLOW:
                return await trickle(source, writer)
            if not await LATER[fault[0]](client, writer):
                return None
        elif fault is not None and fault[0] is Mode.SLOW:
            return await trickle(source, writer)
        return await pump(source, writer)


async def pump(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(READ_BYTES):
            writer.write(data)
            await writer.drain()


async def trickle(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(READ_BYTES):
        for position in range(len(data)):
            writer.write(data[position : position + 1])
            await writer.drain()
            await asyncio.sleep(TRICKLE_S)


async def _reset(_: StreamReader, writer: StreamWriter) -> bool:
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


async def _close(_: StreamReader, writer: StreamWriter) -> bool:
    writer.close()
    return False


async def _hang(_: StreamReader, writer: StreamWriter) -> bool:
    await asyncio.sleep(FOR_EVER_S)
    return False


async def _read_on(reader: StreamReader, _: StreamWriter) -> bool:
    while await reader.read(READ_BYTES):
        pass
    return False


async def _wait(_: StreamReader, writer: StreamWriter) -> bool:
    await asyncio.sleep(LATENCY_S)
    return True


async def _go_on(_: StreamReader, writer: StreamWriter) -> bool:
    return True


async def _unavailable(_: StreamReader, writer: StreamWriter) -> bool:
    return await _say(b"HTTP/1.1 503 X\r\nRetry-After: 0\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", writer)


async def _garbage(_: StreamReader, writer: StreamWriter) -> bool:
    return await _say(b"\x00\xff not http\r\n\r\n", writer)


async def _say(data: bytes, writer: StreamWriter) -> bool:
    writer.write(data)
    await writer.drain()
    writer.close()
    return False


async def _unavailable_to_a_request(reader: StreamReader, writer: StreamWriter) -> bool:
    await reader.read(READ_BYTES)
    return await _unavailable(reader, writer)


async def _garbage_to_a_request(reader: StreamReader, writer: StreamWriter) -> bool:
    await reader.read(READ_BYTES)
    return await _garbage(reader, writer)


# Each gives True when the connection goes on afterwards.
Action = Callable[[StreamReader, StreamWriter], Awaitable[bool]]
LATER: Final[Mapping[Mode, Action]] = {
    Mode.REFUSE: _reset,
    Mode.CUT: _close,
    Mode.BLACKHOLE: _hang,
    Mode.STALL: _hang,  # what the service sends is still read: see `pump`
    Mode.LATENCY: _wait,
    Mode.SLOW: _go_on,
    Mode.HTTP503: _unavailable,
    Mode.GARBAGE: _garbage,
}
AT_CONNECT: Final[Mapping[Mode, Action]] = {
    **LATER,
    Mode.STALL: _read_on,
    Mode.HTTP503: _unavailable_to_a_request,
    Mode.GARBAGE: _garbage_to_a_request,
}


@asynccontextmanager
async def fault_proxy(target_port: int) -> AsyncIterator[FaultProxy]:
    proxy = FaultProxy(target_port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
