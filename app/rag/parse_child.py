"""The parsing child: reads one file within limits and writes frames to its standard output. Run by `parser`.

A frame is four bytes of length, then msgpack. A page that the parent has not taken stops the child: the pipe is full.
"""

import ctypes
import os
import resource
import select
import signal
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from app.rag.coverage import Found
from app.rag.loaders import LOADERS, PDF
from app.rag.pages import ParseError
from app.rag.readers.clean import clean, clean_label
from app.rag.readers.ocr import Ocr

PAGE_BYTES = 20 << 20
TEXT_BYTES = 200 << 20
LENGTH = struct.Struct(">I")
PR_SET_PDEATHSIG = 1
OWN_FILES_BYTES = 1 << 20  # the interpreter's compiled modules; nothing else is ever written


class TotalFrame(msgspec.Struct, tag="total", frozen=True):
    """How many pages the file has."""

    pages: int


class PageFrame(msgspec.Struct, tag="page", frozen=True):
    number: int
    text: str
    needs_ocr: bool
    label: str | None = None
    by_ocr: bool = False
    failure: str | None = None


class OcrFrame(msgspec.Struct, tag="ocr", frozen=True):
    """The text of a page is being recognised on its picture: that has a time of its own."""

    number: int


class ErrorFrame(msgspec.Struct, tag="error", frozen=True):
    code: str
    message: str


class EndFrame(msgspec.Struct, tag="end", frozen=True):
    """Everything was read. `pages` is the number of the last page."""

    pages: int


Frame = TotalFrame | PageFrame | OcrFrame | ErrorFrame | EndFrame


def main() -> None:
    """Arguments: path, media type, first page, CPU seconds, megabytes of address space, and those of Ocr."""
    path, media_type, first, cpu_s, memory_mb, languages, page_s, total_s = sys.argv[1:]
    _end_with_parent()
    _limit(float(cpu_s), int(memory_mb))
    out = _private_stdout()
    out_of_memory = _packed(
        ErrorFrame(
            "memory_limit", f"reading the file takes more than {memory_mb} MB of memory; split it or simplify it"
        )
    )
    try:
        ocr = Ocr(languages, page_s=float(page_s), total_s=float(total_s))
        for frame in _frames(Path(path), media_type, int(first), ocr):
            out.write(_packed(frame))
    except MemoryError:
        out.write(out_of_memory)
    except ParseError as error:
        out.write(_packed(ErrorFrame(error.code, error.message)))
    except RecursionError:
        out.write(_packed(ErrorFrame("damaged", "the file nests its parts too deeply to be read")))
    except OSError as error:
        out.write(_packed(ErrorFrame("unreadable", f"the stored file cannot be read: {error.strerror or error}")))
    except Exception as error:  # the root of this process: it records and ends
        reason = f"the reader failed on this file ({type(error).__name__}: {error}); it is most likely damaged"
        out.write(_packed(ErrorFrame("crashed", reason[:500])))
    os._exit(0)  # neither the watching thread nor a library's exit hooks may hold a finished child


def _frames(path: Path, media_type: str, first: int, ocr: Ocr) -> Iterator[Frame]:
    if path.stat().st_size == 0:
        raise ParseError("empty", "the file is empty; upload one with content")
    loader = LOADERS.get(media_type)()
    total = loader.page_count(path)
    if total is not None:
        yield TotalFrame(total)
    size, last, found = 0, first - 1, Found()
    for page in loader.pages(path, first):
        if page.needs_ocr and media_type == PDF:
            yield OcrFrame(page.number)
            page = ocr.read(path, page)
        page = replace(page, text=clean(page.text), label=clean_label(page.label))
        frame = PageFrame(page.number, page.text, page.needs_ocr, page.label, page.by_ocr, page.failure)
        size += _checked_size(frame, size)
        last = page.number
        found.count(page)
        yield frame
    # Whether earlier pages, which this child was not asked for, have text, its caller knows.
    if first == 1 and (error := found.error()) is not None:
        raise error
    yield EndFrame(last)


def _checked_size(frame: PageFrame, before: int) -> int:
    size = len(frame.text.encode())
    if size > PAGE_BYTES:
        raise ParseError("too_much_text", f"page {frame.number} has more than {PAGE_BYTES >> 20} MB of text; split it")
    if before + size > TEXT_BYTES:
        raise ParseError("too_much_text", f"the file has more than {TEXT_BYTES >> 20} MB of text; split it")
    return size


def _packed(frame: Frame) -> bytes:
    body = msgspec.msgpack.encode(frame)
    return LENGTH.pack(len(body)) + body


def _private_stdout() -> BinaryIO:
    """The pipe to the parent, where no library can print by mistake."""
    pipe = os.dup(1)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    return os.fdopen(pipe, "wb", buffering=0)


def _limit(cpu_s: float, memory_mb: int) -> None:
    """The soft CPU limit ends the process with SIGXCPU, by which the parent knows it; the hard one comes later."""
    cpu = max(1, round(cpu_s))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OWN_FILES_BYTES, OWN_FILES_BYTES))


def _end_with_parent() -> None:
    """The kernel ends this process with its parent, also in native code; elsewhere the end of the pipe does."""
    threading.stack_size(1 << 18)
    threading.Thread(target=_wait_for_parent, daemon=True).start()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        pipe = select.poll()
        pipe.register(sys.stdin.fileno(), 0)
        if pipe.poll(0):  # hung up: the parent died before the kernel was told
            os._exit(1)


def _wait_for_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
