"""Electronic books."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.archive import Archive
from app.rag.readers.book import book_parts
from app.rag.readers.parts import Part, Parted


class Epub(Parted):
    """Pages are chapters; a long one is cut into several with its title."""

    def parts(self, path: Path) -> Iterable[Part]:
        return book_parts(Archive(path))
