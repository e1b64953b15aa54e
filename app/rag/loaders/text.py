"""Plain text and Markdown, in any encoding."""

from collections.abc import Iterator
from pathlib import Path

from app.rag.pages import Page
from app.rag.readers.encoding import detect_encoding
from app.rag.readers.sections import sections

PIECE_CHARS = 1 << 16


class Text:
    """Form feeds separate pages; without them, and in long pages, page numbers are those of sections."""

    def __init__(self) -> None:
        self._encoding: str | None = None

    def page_count(self, path: Path) -> int | None:
        return sum(1 for _ in sections(self._pieces(path)))

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        for number, text in enumerate(sections(self._pieces(path)), 1):
            if number >= first:
                yield Page(number, text)

    def _pieces(self, path: Path) -> Iterator[str]:
        self._encoding = self._encoding or detect_encoding(path)
        with path.open(encoding=self._encoding, errors="replace") as file:
            yield from iter(lambda: file.read(PIECE_CHARS), "")
