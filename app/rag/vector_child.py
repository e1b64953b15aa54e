"""The other end of the vector process: starts it, asks it one thing at a time, ends it in bounded time."""

import asyncio
import contextlib
import os
import sys
from collections import deque
from pathlib import Path

from loguru import logger

from app.core.settings import environment
from app.rag import vector_wire as wire

MODULE = "app.rag.chroma"
SOURCES = Path(__file__).parents[2]
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0
CLOSE_TIMEOUT_S = 5.0
LAST_WORDS = 5


class Died(Exception):
    """The process ended without a reply. The message is what it said last."""


class Child:
    """One process. After an error or a cancelled call it is of no more use: kill it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise ValueError("a child without pipes")
        self._process = process
        self._requests, self._replies, self._log = process.stdin, process.stdout, process.stderr
        self._words: deque[str] = deque(maxlen=LAST_WORDS)
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, folder: Path, prefix: str, *, exact: int) -> "Child | wire.Failed":
        """A process that answers, or why there is none. Raises Died or TimeoutError."""
        path = os.pathsep.join(p for p in (str(SOURCES), environment().get("PYTHONPATH")) if p)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE, str(folder), prefix, str(exact), str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(PYTHONPATH=path, OPENBLAS_NUM_THREADS="1"),  # a second thread waits in a loop
            start_new_session=True,  # Ctrl+C is for the service, which ends this process in order
        )
        child = cls(process)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                first = await child._read()
        except BaseException:
            await child.kill()
            raise
        if isinstance(first, wire.Failed):
            await child.close()
            return first
        return child

    async def ask(self, request: wire.Request, values: bytes) -> wire.Reply:
        """The reply. Raises Died or TimeoutError."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            try:
                self._requests.write(wire.frame(request, values))
                await self._requests.drain()
            except ConnectionError:
                raise await self._death() from None
            return await self._read()

    async def close(self) -> None:
        """Closes the pipe, which ends the process; kills it when that takes too long."""
        self._requests.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            logger.warning("the vector process did not end in {} s and is killed", CLOSE_TIMEOUT_S)
        await self.kill()

    async def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        await self._listener

    async def _read(self) -> wire.Reply:
        try:
            lengths = await self._replies.readexactly(wire.LENGTHS.size)
            header, values = wire.LENGTHS.unpack(lengths)
            frame = await self._replies.readexactly(header + values)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._death() from None
        return wire.decode_reply(frame[:header])

    async def _death(self) -> Died:
        await self.kill()
        words = " | ".join(self._words) or "it said nothing"
        return Died(f"status {self._process.returncode}: {words}")

    async def _listen(self) -> None:
        """What the process and its libraries print goes to the log, not to the terminal."""
        while line := await self._log.readline():
            self._words.append(line.decode(errors="replace").rstrip())
            logger.debug("vector process: {}", self._words[-1])
