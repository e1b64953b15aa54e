"""Electronic books."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.book import book_parts
from app.rag.readers.parts import Paged, Part


class Epub(Paged):
    """Pages are chapters; a long one is cut into several with its title."""

    def read(self, path: Path) -> Iterable[Part]:
        return book_parts(Archive(path))
