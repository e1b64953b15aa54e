"""Parts: the sheets, slides and chapters of a file, which play the role of pages."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.rag.pages import Page, ParseError
from app.rag.readers.sections import sections


@dataclass(frozen=True, slots=True)
class Part:
    """`label` is what people call it, `failure` says why it was not read."""

    label: str
    text: str
    failure: str | None = None


class Parted(ABC):
    """A loader whose pages are parts. A part that is too long for a page becomes several with its label."""

    def __init__(self) -> None:
        self._pages: list[Page] | None = None

    @abstractmethod
    def parts(self, path: Path) -> Iterable[Part]:
        """All parts in order. Raises ParseError."""

    def page_count(self, path: Path) -> int | None:
        """Raises ParseError when no part can be read."""
        if self._pages is None:
            self._pages = [Page(number, *rest) for number, rest in enumerate(self._cut(path), 1)]
        failures = [page.failure for page in self._pages]
        if failures and None not in failures:
            raise ParseError("damaged", failures[0] or "")
        return len(self._pages)

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        self.page_count(path)
        yield from (self._pages or [])[first - 1 :]

    def _cut(self, path: Path) -> Iterator[tuple[str, bool, str, bool, str | None]]:
        for part in self.parts(path):
            texts = list(sections([part.text])) or [""]
            for number, text in enumerate(texts, 1):
                label = f"{part.label}, part {number}" if len(texts) > 1 and part.label else part.label
                yield text, False, label, False, part.failure
