"""Reads a file in a child process with limits: a 14 KB PDF can cost a parser a minute, and native code can crash."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import msgspec

from app.core.settings import environment
from app.rag.loaders import LOADERS, MARKDOWN, NAMES, PLAIN
from app.rag.pages import Page, ParseError
from app.rag.parse_child import (
    LENGTH,
    PAGE_BYTES,
    TEXT_BYTES,
    EndFrame,
    ErrorFrame,
    Frame,
    OcrFrame,
    PageFrame,
    TotalFrame,
)
from app.rag.readers.clean import clean, clean_label

BUFFER_BYTES = 1 << 18
MAX_FRAME_BYTES = PAGE_BYTES + 1024
PAGES_PER_WALL = 100
# What an interpreter needs to start. No secret of the service reaches a process that reads strangers' files.
KEPT_VARIABLES = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    "TESSDATA_PREFIX",  # where Tesseract's languages are, when that is not where it was built for
)
TEXTS = (PLAIN, MARKDOWN)
SMALL_BYTES = 1 << 14
OCR_GRACE_S = 10  # to end the processes of a page that took too long


@dataclass(frozen=True, slots=True)
class OcrLimits:
    """As of `readers.ocr.Ocr`."""

    languages: str = "eng"
    page_s: float = 60
    total_s: float = 900


@dataclass(frozen=True, slots=True)
class Limits:
    """For one file; `wall_s` is for each started 100 pages of it."""

    cpu_s: float
    memory_mb: int
    wall_s: float
    ocr: OcrLimits


class ChildParser:
    """Implements Parser: one child for each file, in a session of its own, killed and reaped however the reading ends.

    Limits: `cpu_s` CPU seconds and `memory_mb` of address space for the file, `wall_s` seconds for each started 100
    pages; time that the caller spends on a page does not count, and the recognition of text has a limit of its own.
    """

    def __init__(self, *, cpu_s: float, memory_mb: int, wall_s: float, ocr: OcrLimits | None = None) -> None:
        self._limits = Limits(cpu_s, memory_mb, wall_s, ocr or OcrLimits())

    async def pages(self, path: Path, media_type: str, first: int = 1) -> AsyncIterator[tuple[Page, int | None]]:
        """Pages from number `first` on, each with the total when it is known. Leave early with `aclose`.

        Raises ParseError: cpu_limit, memory_limit, time_limit, too_much_text, encrypted, damaged, empty, no_text,
        unsupported_type, unreadable, crashed.
        """
        if media_type not in LOADERS.entries:
            raise ParseError("unsupported_type", f"cannot read {media_type!r}; known: {', '.join(NAMES.values())}")
        if media_type in TEXTS and (small := await asyncio.to_thread(_small_text, path, media_type)):
            for short in small[first - 1 :]:
                yield short, len(small)
            return
        child = await _start(path, media_type, first, self._limits)
        reading = _Reading(child, self._limits, first - 1)
        try:
            while (page := await reading.next_page()) is not None:
                yield page, reading.total
        finally:
            await asyncio.shield(asyncio.ensure_future(_end(child)))


class _Reading:
    """What came from one child so far, and how much time it has left."""

    def __init__(self, child: Process, limits: Limits, last: int) -> None:
        self.total: int | None = None
        self._child = child
        self._limits = limits
        self._last = last
        self._left_s = limits.wall_s
        self._ocr_left_s = limits.ocr.total_s + OCR_GRACE_S
        self._seen = 0
        self._chars = 0
        self._decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)

    async def next_page(self) -> Page | None:
        """None at the end. Raises ParseError."""
        allowed_s = None
        while True:
            match await self._next_frame(allowed_s):
                case TotalFrame(pages=pages):
                    self.total = pages
                case OcrFrame():
                    allowed_s = min(self._ocr_left_s, self._limits.ocr.page_s + OCR_GRACE_S)
                case PageFrame() as frame:
                    return self._count(frame)
                case EndFrame():
                    return None
                case ErrorFrame(code=code, message=message):
                    raise ParseError(code, message)

    def _count(self, frame: PageFrame) -> Page:
        self._last = frame.number
        self._seen += 1
        self._chars += len(frame.text)
        if self._chars > TEXT_BYTES:
            raise ParseError("too_much_text", f"the file has more than {TEXT_BYTES >> 20} MB of text; split it")
        if self._seen % PAGES_PER_WALL == 0:
            self._left_s = self._limits.wall_s
        return Page(frame.number, frame.text, frame.needs_ocr, frame.label, frame.by_ocr, frame.failure)

    async def _next_frame(self, ocr_s: float | None) -> Frame:
        """`ocr_s`: how long the recognition may take that comes first; it is not taken off the time for reading."""
        loop = asyncio.get_running_loop()
        before = loop.time()
        limit_s = self._left_s if ocr_s is None else ocr_s
        try:
            async with asyncio.timeout(limit_s):
                frame = await self._read_frame()
        except TimeoutError:
            limit = f"{self._where} and those before it took more than {self._limits.wall_s:g} seconds (PARSE_WALL_S)"
            if ocr_s is not None:
                limit = f"recognising the text of page {self._last + 1} took more than {limit_s:.0f} seconds"
            raise ParseError("time_limit", f"{limit}; split the file") from None
        if ocr_s is None:
            self._left_s -= loop.time() - before
        else:
            self._ocr_left_s -= loop.time() - before
        return self._decoder.decode(frame)

    async def _read_frame(self) -> bytes:
        out = cast(asyncio.StreamReader, self._child.stdout)
        try:
            (length,) = LENGTH.unpack(await out.readexactly(LENGTH.size))
            if length > MAX_FRAME_BYTES:
                raise ParseError("too_much_text", f"{self._where} gave more than {PAGE_BYTES >> 20} MB of text")
            return await out.readexactly(length)
        except asyncio.IncompleteReadError:
            raise self._death(await self._child.wait()) from None

    @property
    def _where(self) -> str:
        return f"reading page {self._last + 1}"

    def _death(self, status: int) -> ParseError:
        """Why a child ended without a word. PDFium aborts when it gets no memory; the kernel kills for the same."""
        if status == -signal.SIGXCPU:
            limit = f"the {self._limits.cpu_s:g} CPU seconds that a file may take (PARSE_CPU_S)"
            return ParseError("cpu_limit", f"{self._where} used up {limit}; split the file or save it again")
        if status in {-signal.SIGKILL, -signal.SIGABRT}:
            limit = f"the {self._limits.memory_mb} MB of memory that a file may take (PARSE_MEMORY_MB)"
            return ParseError("memory_limit", f"{self._where} needs more than {limit}, or the file is damaged")
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        return ParseError("crashed", f"the reader ended ({how}) while {self._where}; the file is most likely damaged")


def _small_text(path: Path, media_type: str) -> list[Page] | None:
    """A short text in UTF-8 needs no child: nothing in it can take long, and a child costs more than all the rest."""
    try:
        with path.open("rb") as file:
            data = file.read(SMALL_BYTES + 1)
        data.decode()
    except (OSError, UnicodeDecodeError):
        return None
    if len(data) > SMALL_BYTES or not data.strip() or b"\0" in data:
        return None
    pages = list(LOADERS.get(media_type)().pages(path, 1))
    return [Page(page.number, clean(page.text), label=clean_label(page.label)) for page in pages]


async def _start(path: Path, media_type: str, first: int, limits: Limits) -> Process:
    inherited = environment()
    variables = {name: inherited[name] for name in KEPT_VARIABLES if name in inherited}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "app.rag.parse_child", path, media_type, str(first), str(limits.cpu_s), str(limits.memory_mb)),
        *(limits.ocr.languages, str(limits.ocr.page_s), str(limits.ocr.total_s)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=BUFFER_BYTES,
        start_new_session=True,
        env={
            **variables,
            "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry),
            "OMP_THREAD_LIMIT": "1",  # Tesseract takes one core, and leaves the other to answers
        },
    )


async def _end(child: Process) -> None:
    """Kill the child's whole session and take what is left in its pipe: only then do pipe and process go away."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
    cast(asyncio.StreamWriter, child.stdin).close()
    while await cast(asyncio.StreamReader, child.stdout).read(BUFFER_BYTES):
        pass
    await child.wait()
