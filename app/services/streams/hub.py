"""A run in memory: committed frames as byte blobs, and the readers that wait for more."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator

from app.core.errors import AppError
from app.services.streams.base import HEARTBEAT

OVERHEAD_BYTES = 1500  # of a run without frames


class RunFrames:
    """Frames of one run. `pending` is pushed but not on disk: no reader may see it."""

    __slots__ = ("blobs", "ended", "ending", "failure", "last", "lasts", "pending", "run_id", "size_bytes", "waiters")

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.last = 0
        self.pending: list[bytes] = []
        self.blobs: list[bytes] = []
        self.lasts: list[int] = []
        self.size_bytes = OVERHEAD_BYTES
        self.ending = False
        self.failure: AppError | None = None
        self.ended = False
        self.waiters: list[asyncio.Future[None]] = []

    def publish(self, last: int, blob: bytes) -> None:
        """Show a blob that is on disk; `last` is the number of its last frame."""
        self.blobs.append(blob)
        self.lasts.append(last)
        self.size_bytes += len(blob)
        self.wake()

    def finish(self) -> None:
        """No more frames will come. What piled up is joined: a finished run is only kept for late readers."""
        self.ended = True
        if self.blobs:
            self.blobs, self.lasts = [b"".join(self.blobs)], [self.lasts[-1]]
        self.wake()

    def wake(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def after(self, number: int) -> bytes:
        """Committed frames with a greater number than `number`, as one blob."""
        index = bisect_right(self.lasts, number)
        if index == len(self.blobs):
            return b""
        blob = self.blobs[index]
        if not blob.startswith(b"id: %d\n" % (number + 1)):
            blob = blob[blob.index(b"\n\nid: %d\n" % (number + 1)) + 2 :]
        return b"".join([blob, *self.blobs[index + 1 :]])

    async def follow(self, number: int) -> AsyncIterator[bytes]:
        """Frames after `number`, live until the end; whatever piled up goes out as one write.

        A wake-up without anything new is the heartbeat.
        """
        new_waiter = asyncio.get_running_loop().create_future
        blobs = self.blobs
        seen, index = number, len(blobs)
        out = self.after(number)
        if self.lasts:
            seen = max(seen, self.lasts[-1])
        if out:
            yield out
        while True:
            if self.blobs is not blobs:  # joined by `finish` meanwhile: find the place by number
                blobs, out = self.blobs, self.after(seen)
            else:
                out = blobs[index] if len(blobs) == index + 1 else b"".join(blobs[index:])
            if out:
                index, seen = len(blobs), self.lasts[-1]
                yield out
            elif self.ended:
                return
            else:
                index = len(blobs)
                waiter = new_waiter()
                self.waiters.append(waiter)
                await waiter
                if len(blobs) == index and not self.ended:
                    yield HEARTBEAT
