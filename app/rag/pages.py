"""Pages and chunks: what reading a file gives. Apart from `base`, since the parsing child must start without numpy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.core.enums import PageState
from app.core.passages import spoken

PAGE_SEPARATOR = "\f"


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page. `number` counts from 1.

    `label` is what people call it when that is no number: a sheet's name, a chapter's title. `needs_ocr`: a picture
    of text, which nobody has read. `by_ocr`: the text was recognised on a picture. `failure`: why it was not read, or
    why nobody could recognise its text.
    """

    number: int
    text: str
    needs_ocr: bool = False
    label: str | None = None
    by_ocr: bool = False
    failure: str | None = None

    @property
    def state(self) -> PageState:
        if self.needs_ocr:
            return PageState.NEEDS_OCR
        if self.failure is not None:
            return PageState.FAILED
        if not self.text.strip():
            return PageState.EMPTY
        return PageState.OCR if self.by_ocr else PageState.READ


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a file, with where it stands. `ordinal` counts from 0.

    `context` is said before the text wherever it is embedded, indexed or shown to a model, and is not part of it: the
    header of the table that the passage is cut from.
    """

    ordinal: int
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    context: str = ""

    @property
    def spoken(self) -> str:
        """What is embedded and indexed."""
        return spoken(self.context, self.text)


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
