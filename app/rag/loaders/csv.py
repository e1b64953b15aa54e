"""Tables as text: comma, semicolon, tab or bar separated."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from app.rag.pages import Page
from app.rag.readers.delimited import DELIMITERS, SAMPLE_ROWS, Dialect, find_dialect, find_layout
from app.rag.readers.encoding import detect_encoding
from app.rag.readers.sections import Part, Parted, lined
from app.rag.readers.tables import row_line, table_lines

SAMPLE_CHARS = 1 << 17
PAGE_ROWS = 500
REPEATED_HEADER_CHARS = 4000


class Csv(Parted):
    """Pages of rows, called `rows 1-500` and counted without the header, which is repeated on each."""

    delimiters = DELIMITERS

    def __init__(self) -> None:
        self._dialect: Dialect | None = None
        self._encoding = ""

    def page_count(self, path: Path) -> int | None:
        try:
            return super().page_count(path)
        except csv.Error:  # a quote that never ends: quotes are letters here
            self._dialect = Dialect(self._known(path).delimiter, quoted=False)
            return super().page_count(path)

    def pages(self, path: Path, first: int) -> Iterator[Page]:
        if self._dialect is None:
            self.page_count(path)
        return super().pages(path, first)

    def parts(self, path: Path) -> Iterable[Part]:
        dialect = self._known(path)
        with path.open(encoding=self._encoding, errors="replace", newline="") as file:
            rows = (row for row in dialect.rows(_without_nul(file)) if any(map(str.strip, row)))
            begin = list(islice(rows, SAMPLE_ROWS))
            layout = find_layout(begin)
            header = list(table_lines([layout.names, ["x"]], len(layout.names)))[:2] if any(layout.names) else []
            said = [layout.caption, ""] if layout.caption else []
            repeats = sum(map(len, header)) <= REPEATED_HEADER_CHARS
            lines = (_line(row, len(layout.names)) for row in chain(begin[layout.skipped :], rows))
            parts = lined(lines, "rows", most=PAGE_ROWS, before=header if repeats else ())
            first = next(parts, Part(None, "\n".join(header)))
            before = said if repeats else [*said, *header]
            yield Part(first.label, "\n".join([*before, first.text]))
            yield from parts

    def _known(self, path: Path) -> Dialect:
        if self._dialect is None:
            self._encoding = detect_encoding(path)
            with path.open(encoding=self._encoding, errors="replace", newline="") as file:
                self._dialect = find_dialect(file.read(SAMPLE_CHARS), preferred=self.delimiters)
        return self._dialect


class Tsv(Csv):
    delimiters = "\t,;|"


def _line(row: list[str], columns: int) -> str:
    return row_line([*row, *[""] * (columns - len(row))])


def _without_nul(lines: Iterable[str]) -> Iterator[str]:
    """NUL would end a line for some readers of the csv module."""
    return (line.replace("\0", "") for line in lines)
