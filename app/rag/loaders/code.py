"""Programs and configuration, in any language: line by line as they are."""

from collections.abc import Iterable
from pathlib import Path

from app.rag.readers.encoding import detect_encoding
from app.rag.readers.sections import Part, Parted, lined

PAGE_LINES = 400


class Code(Parted):
    """Pages are called `lines 1-400`."""

    def __init__(self) -> None:
        self._encoding: str | None = None

    def parts(self, path: Path) -> Iterable[Part]:
        self._encoding = self._encoding or detect_encoding(path)
        with path.open(encoding=self._encoding, errors="replace") as file:
            yield from lined((line.rstrip("\n").replace("\f", "") for line in file), "lines", most=PAGE_LINES)
