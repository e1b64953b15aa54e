"""pypdf, the second chance for a PDF: slower than PDFium, more patient with damage, and it knows other fonts."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from app.rag.pages import ParseError

CPU_S = 20.0
# What pypdf is known to raise on damaged files, besides its own errors.
DAMAGE = (PyPdfError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OSError,
          NotImplementedError, AssertionError, ZeroDivisionError, OverflowError, MemoryError)  # fmt: skip


class OutOfCpu(BaseException):
    """Not an Exception: pypdf catches those while it reads."""


class PypdfPages:
    """Pages of one file, within 20 CPU seconds for all of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left_s = CPU_S
        self._reader: PdfReader | None = None

    def page_count(self) -> int:
        """Raises ParseError `encrypted`, `damaged` or `cpu_limit`."""
        try:
            with self._spending():
                return len(self._open().pages)
        except OutOfCpu as error:
            raise ParseError(
                "cpu_limit", f"the PDF is damaged, and repairing it took more than {CPU_S:.0f} CPU seconds"
            ) from error
        except DAMAGE as error:
            why = f": {error}" if isinstance(error, PyPdfError) and " object has no " not in str(error) else ""
            raise ParseError(
                "damaged", f"the PDF is damaged and cannot be opened{why}; save it again in a PDF viewer"
            ) from error

    def text(self, number: int, total: int) -> str | None:
        """The text of page `number`, or None: unreadable, out of time, or the file has not `total` pages here.

        A reader that skips damaged pages numbers the others differently.
        """
        try:
            with self._spending():
                pages = self._open().pages
                return pages[number - 1].extract_text() if len(pages) == total else None
        except (OutOfCpu, ParseError, *DAMAGE):
            return None

    def _open(self) -> PdfReader:
        if self._reader is None:
            reader = PdfReader(self._path)
            if reader.is_encrypted and not reader.decrypt(""):
                raise ParseError("encrypted", "the PDF is protected by a password; upload it without one")
            self._reader = reader
        return self._reader

    @contextmanager
    def _spending(self) -> Iterator[None]:
        if self._left_s <= 0:
            raise OutOfCpu
        before = signal.signal(signal.SIGPROF, _out_of_cpu)
        signal.setitimer(signal.ITIMER_PROF, self._left_s)
        try:
            yield
        finally:
            self._left_s = signal.setitimer(signal.ITIMER_PROF, 0)[0]
            signal.signal(signal.SIGPROF, before)


def _out_of_cpu(_signal: int, _frame: FrameType | None) -> None:
    raise OutOfCpu
