"""Text recognition (OCR) of pages that are pictures, by Tesseract when it is installed.

Each page is drawn by one short-lived process and read by another, within limits of their own: a page on which they
fail is marked, and the file goes on.
"""

import ctypes
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import IO

from app.rag.coverage import A_PICTURE
from app.rag.pages import Page
from app.rag.readers.drawing import DPI

PROGRAM = "tesseract"
INSTALL = "install Tesseract (such as apt-get install tesseract-ocr) on the server, then retry"
LISTING_S = 20
MAX_SAID_CHARS = 200
PR_SET_PDEATHSIG = 1


class OcrFailed(Exception):
    """One page could not be recognised."""


class Ocr:
    """Reads pages of one file. `languages` are Tesseract's names joined by +, such as eng+deu.

    One page may take `page_s` seconds, by the clock and of each process's CPU; all pages together `total_s`.
    """

    def __init__(self, languages: str, *, page_s: float, total_s: float) -> None:
        self._languages = languages
        self._page_s = page_s
        self._total_s = total_s
        self._left_s = total_s

    @cached_property
    def fault(self) -> str | None:
        """Why nothing can be recognised on this machine, and what to do. None when it can."""
        program = shutil.which(PROGRAM)
        if program is None:
            return INSTALL
        there = _languages(program)
        missing = [name for name in self._languages.split("+") if name not in there]
        if not missing:
            return None
        packages = " ".join(f"tesseract-ocr-{name.replace('_', '-')}" for name in missing)
        return (
            f"Tesseract has no {' and no '.join(map(repr, missing))} of OCR_LANGUAGES, it has "
            f"{', '.join(there) or 'none'}; install the rest (such as apt-get install {packages}) on the server or "
            "change the setting, then retry"
        )

    def read(self, path: Path, page: Page) -> Page:
        """The page with the text on its picture, or with the reason why there is none."""
        if self.fault is not None:
            return replace(page, failure=f"{A_PICTURE}{self.fault}")
        began = time.monotonic()
        try:
            text = self._recognise(path, page.number) if self._left_s > 0 else ""
        except OcrFailed as error:
            return replace(page, needs_ocr=False, failure=f"text recognition failed: {error}")
        finally:
            self._left_s -= time.monotonic() - began
        if self._left_s <= 0 and not text:
            limit = f"the {self._total_s:g} seconds for the text recognition of one file (OCR_TOTAL_S) were used up"
            return replace(page, failure=f"{A_PICTURE}{limit}; split the file or allow more")
        return replace(page, needs_ocr=False, by_ocr=True, text=max(text, page.text, key=_letters))

    def _recognise(self, path: Path, number: int) -> str:
        """Nothing when the time of the whole file ends first. Raises OcrFailed."""
        within_s = min(self._page_s, self._left_s)
        draw = [sys.executable, "-m", "app.rag.readers.drawing", str(path), str(number)]
        read = [PROGRAM, "stdin", "stdout", "-l", self._languages, "--dpi", str(DPI)]
        with (
            _started(draw, within_s, source=subprocess.DEVNULL) as drawing,
            _started(read, within_s, source=drawing.stdout) as reading,
        ):
            if drawing.stdout is not None:
                drawing.stdout.close()  # else the drawing would not notice the end of the reading
            try:
                text, said = reading.communicate(timeout=within_s)
            except subprocess.TimeoutExpired:
                if within_s < self._page_s:
                    return ""
                raise OcrFailed(f"it took more than {within_s:.0f} seconds (OCR_PAGE_S)") from None
            finally:
                drawing.kill()
                reading.kill()
        if drawing.returncode and reading.returncode >= 0:
            raise OcrFailed(f"the page could not be drawn{_death(drawing.returncode)}")
        if reading.returncode:
            reason = said.decode(errors="replace").strip().rpartition("\n")[2][:MAX_SAID_CHARS]
            raise OcrFailed(f"Tesseract ended{_death(reading.returncode)} {reason}".rstrip())
        return text.decode(errors="replace").replace("\f", "\n")


def _languages(program: str) -> list[str]:
    try:
        asked = subprocess.run([program, "--list-langs"], capture_output=True, timeout=LISTING_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return []
    return sorted(filter(None, asked.stdout.decode(errors="replace").split("\n")[1:]))


def _started(command: list[str], cpu_s: float, *, source: int | IO[bytes] | None) -> "subprocess.Popen[bytes]":
    """In the session of this process, with its memory limit, and ended with it."""
    return subprocess.Popen(  # noqa: S603
        command,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if source != subprocess.DEVNULL else subprocess.DEVNULL,
        preexec_fn=partial(_limit, cpu_s),  # noqa: PLW1509
    )


def _limit(cpu_s: float) -> None:
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    seconds = max(1, round(cpu_s))
    if most != resource.RLIM_INFINITY:
        seconds = max(1, min(seconds, most - 1))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _death(status: int) -> str:
    if status == -signal.SIGXCPU:
        return ": it used up its CPU seconds (OCR_PAGE_S, PARSE_CPU_S)"
    if status in {-signal.SIGKILL, -signal.SIGABRT}:
        return ": it needs more memory than PARSE_MEMORY_MB, or the picture is damaged"
    return f" ({signal.Signals(-status).name})" if status < 0 else ""


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
