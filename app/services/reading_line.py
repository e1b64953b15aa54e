"""Who is read next: one file at a time, and a second one beside a file that takes long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PATIENCE_S = 10.0


class ReadingLine:
    """Files are read in the order in which they came.

    One that has been read for `patience_s` steps aside, so that nobody waits for a scan of a thousand pages. Only one
    stands aside at a time: the next slow file keeps its place in the line until that one has ended.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._line, self._aside = asyncio.Lock(), asyncio.Lock()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until it is this file's turn, which lasts as long as the block."""
        await self._line.acquire()
        has_stepped = asyncio.Event()
        stepping = asyncio.create_task(self._step_aside(has_stepped))
        try:
            yield
        finally:
            stepping.cancel()
            (self._aside if has_stepped.is_set() else self._line).release()

    async def _step_aside(self, has_stepped: asyncio.Event) -> None:
        await asyncio.sleep(self._patience_s)
        await self._aside.acquire()
        has_stepped.set()
        self._line.release()
