"""One thread that runs short pieces of native work, queries before documents, and gives memory back when it rests."""

import asyncio
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path

from app.core.errors import ModelUnavailable
from app.rag.base import Urgency, Vectors

REST_S = 1.0
CLOSE_TIMEOUT_S = 10.0
Work = Callable[[], Vectors]


@dataclass(order=True, slots=True)
class _Job:
    rank: int
    number: int
    work: Work = field(compare=False)
    done: asyncio.Future[Vectors] = field(compare=False)


class Worker:
    """The thread starts with the first job. At most `capacity` jobs wait."""

    def __init__(self, name: str, *, capacity: int) -> None:
        self._name, self._capacity = name, capacity
        self._changed = threading.Condition()
        self._jobs: list[_Job] = []
        self._numbers = count()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, work: Work, *, urgency: Urgency) -> Vectors:
        """The result of `work`, or its error. Raises ModelUnavailable when too many wait."""
        done: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise _unavailable("is closing")
            if len(self._jobs) >= self._capacity:
                raise _unavailable(f"has {self._capacity} requests waiting; try again")
            heappush(self._jobs, _Job(int(urgency != "query"), next(self._numbers), work, done))
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return await done

    async def aclose(self) -> None:
        """Ends the thread after the job it is in; the jobs that wait are refused."""
        with self._changed:
            self._closed = True
            waiting, self._jobs = self._jobs, []
            self._changed.notify()
        for job in waiting:
            _settle(job.done, _unavailable("is closing"))
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_TIMEOUT_S)

    def _loop(self) -> None:
        _show_name(self._name)
        while (job := self._next()) is not None:
            if not job.done.cancelled():
                _perform(job)

    def _next(self) -> _Job | None:
        with self._changed:
            if not self._wait(REST_S):
                _return_freed_memory()
                self._wait(None)
            return None if self._closed else heappop(self._jobs)

    def _wait(self, timeout_s: float | None) -> bool:
        return self._changed.wait_for(lambda: bool(self._jobs) or self._closed, timeout_s)


def _unavailable(reason: str) -> ModelUnavailable:
    return ModelUnavailable(f"The embedding model {reason}.", retry_after_s=5)


def _perform(job: _Job) -> None:
    result: Vectors | Exception
    try:
        result = job.work()
    except Exception as error:  # the root of the job: it fails, the thread goes on
        result = error
    loop = job.done.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(_settle, job.done, result)


def _settle(done: asyncio.Future[Vectors], result: Vectors | Exception) -> None:
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)


def _show_name(name: str) -> None:
    """What `top -H` and the benchmarks tell this thread by, and those that the native library starts from it."""
    with suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(name)


def _return_freed_memory() -> None:
    """glibc keeps up to 100 MB of freed activations otherwise."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
