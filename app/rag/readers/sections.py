"""Sections: the pages of formats that have none."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

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


class Part(NamedTuple):
    """A piece of a file that has a name of its own: rows, a message, a slide. `failure`: why it was not read."""

    label: str | None
    text: str
    failure: str | None = None


class Parted(ABC):
    """A loader whose pages have labels. Reads the file twice, once to count; a long part is cut into sections."""

    @abstractmethod
    def parts(self, path: Path) -> Iterable[Part]:
        """In order, the same each time."""

    def page_count(self, path: Path) -> int | None:
        return sum(1 for _ in self._cut(path))

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        for number, part in enumerate(self._cut(path), 1):
            if number >= first:
                yield Page(number, part.text, label=part.label, failure=part.failure)

    def _cut(self, path: Path) -> Iterator[Part]:
        for part in self.parts(path):
            yield from (Part(part.label, section) for section in sections([part.text]))


class PartedWhole(Parted):
    """Reads the file once and keeps its parts."""

    def __init__(self) -> None:
        self._parts: list[Part] | None = None

    @abstractmethod
    def read(self, path: Path) -> Iterable[Part]: ...

    def parts(self, path: Path) -> Iterable[Part]:
        if self._parts is None:
            self._parts = list(self.read(path))
        return self._parts


def lined(lines: Iterable[str], name: str, *, most: int, before: Sequence[str] = ()) -> Iterator[Part]:
    """Parts of at most `most` lines and the size of a section, called `rows 1-500`; each begins with `before`.

    `name` is in the plural.
    """
    empty = sum(len(line) + 1 for line in before)
    held, size, first, number = list(before), empty, 1, 0
    for number, line in enumerate(lines, 1):
        if number > first and (size + len(line) > SECTION_CHARS or number - first >= most):
            yield Part(_span(name, first, number - 1), "\n".join(held))
            held, size, first = list(before), empty, number
        size += len(line) + 1
        held.append(line)
    if number >= first:
        yield Part(_span(name, first, number), "\n".join(held))


def _span(name: str, first: int, last: int) -> str:
    return f"{name} {first}-{last}" if first < last else f"{name.removesuffix('s')} {first}"
