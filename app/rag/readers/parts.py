"""Loaders whose pages are the sheets, slides and chapters of a file."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from app.rag.pages import ParseError
from app.rag.readers.sections import Part, PartedWhole, sections

__all__ = ["Paged", "Part"]


class Paged(PartedWhole):
    """Every part is a page, an empty one too: the fifth slide is page 5. A part that is too long becomes several."""

    @abstractmethod
    def read(self, path: Path) -> Iterable[Part]:
        """All parts in order. Raises ParseError."""

    def parts(self, path: Path) -> Iterable[Part]:
        """Raises ParseError when none can be read."""
        parts = list(super().parts(path))
        if parts and all(part.failure for part in parts):
            raise ParseError("damaged", parts[0].failure or "")
        return parts

    def _cut(self, path: Path) -> Iterator[Part]:
        for part in self.parts(path):
            texts = list(sections([part.text])) or [""]
            for number, text in enumerate(texts, 1):
                label = f"{part.label}, part {number}" if len(texts) > 1 and part.label else part.label
                yield Part(label, text, part.failure)
