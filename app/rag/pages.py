"""Pages and chunks: what reading a file gives. Apart from `base`, since the parsing child must start without numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PAGE_SEPARATOR = "\f"


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page. `number` counts from 1. `needs_ocr`: a picture of text, which nobody has read."""

    number: int
    text: str
    needs_ocr: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a file, with where it stands. `ordinal` counts from 0."""

    ordinal: int
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str


class ParseError(Exception):
    """A file that cannot be read: `code` for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Loader(Protocol):
    """Reads one file format: one object, one file. Runs in the parsing child, never in the service's own process."""

    def page_count(self, path: Path) -> int | None:
        """The number of pages, or None when it is known only at the end."""

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        """Pages from number `first` on. Raises ParseError with a reason a person can act on."""
