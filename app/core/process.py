"""What the process itself needs: room for open files, and a word before a server that is told to end."""

import asyncio
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

MAX_OPEN_FILES: Final = 65536


def allow_open_files() -> None:
    """A stream takes two sockets, and many systems allow 1,024 open files until a process asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def at_exit_signal(*callbacks: Callable[[], None]) -> Iterator[None]:
    """Call back when the server is told to end, before it waits for its connections: streams must end first."""
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        for callback in callbacks:
            loop.call_soon_threadsafe(callback)
        before[number](number, frame)

    if threading.current_thread() is threading.main_thread():
        before = {
            n: signal.signal(n, on_signal) for n in (signal.SIGTERM, signal.SIGINT) if callable(signal.getsignal(n))
        }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
