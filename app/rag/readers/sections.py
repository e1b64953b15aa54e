"""Sections: the pages of formats that have none."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.rag.pages import Page

SECTION_CHARS = 20_000


def sections(pieces: Iterable[str]) -> Iterator[str]:
    """Cut a text that comes in pieces into sections, which are numbered like pages.

    A section ends at a form feed, else after at most 20,000 characters: at the last paragraph end, line end or space
    in its second half. The cuts depend on the text alone, not on the pieces.
    """
    rest, position = "", 0
    for piece in pieces:
        rest, position = rest[position:] + piece, 0
        while len(rest) - position > SECTION_CHARS:
            end, after = _cut(rest, position)
            yield rest[position:end].rstrip()
            position = after
    while position < len(rest):
        end, after = _cut(rest, position)
        yield rest[position:end].rstrip()
        position = after


def _cut(text: str, start: int) -> tuple[int, int]:
    """Where the section from `start` ends, and where the next begins."""
    stop = start + SECTION_CHARS
    feed = text.find("\f", start, stop + 1)
    if feed >= 0:
        return feed, feed + 1
    if len(text) <= stop:
        return len(text), len(text)
    for boundary in ("\n\n", "\n", " "):
        found = text.rfind(boundary, start + SECTION_CHARS // 2, stop)
        if found >= 0:
            return found, found + len(boundary)
    return stop, stop


class Sectioned(ABC):
    """A loader for a format that must be read as a whole."""

    def __init__(self) -> None:
        self._sections: list[str] | None = None

    @abstractmethod
    def text(self, path: Path) -> str:
        """The text of the file; a form feed begins a page."""

    def page_count(self, path: Path) -> int | None:
        if self._sections is None:
            self._sections = list(sections([self.text(path)]))
        return len(self._sections)

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        self.page_count(path)
        for number, text in enumerate((self._sections or [])[first - 1 :], first):
            yield Page(number, text)
