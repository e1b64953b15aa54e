"""Turns the rows of a spreadsheet into pages: tables found by their blank rows, each with its header."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.rag.readers.sections import Part
from app.rag.readers.tables import table_lines

PAGE_ROWS = 500
PAGE_CHARS = 18_000
YEARS = range(1900, 2101)


class Value(NamedTuple):
    """What a cell shows. `is_name`: a text, which may head a column; not a number, date or truth value."""

    text: str
    is_name: bool


Row = Mapping[int, Value]


@dataclass(slots=True)
class SheetPages:
    """Takes the rows of one sheet in order; `parts` are its pages so far.

    The first row of texts is a table's header; a table without one has its column letters for a header. A table that
    goes on after blank rows or on the next page repeats its header.
    """

    name: str
    is_hidden: bool = False
    parts: list[Part] = field(default_factory=list)
    _rows: list[tuple[int, Row]] = field(default_factory=list)
    _chars: int = 0
    _header: Row | None = None
    _cut: bool = False  # some rows were given as a page already

    def add(self, number: int, row: Row) -> None:
        """`number` counts from 1, columns from 0. Cells without text are left out."""
        shown = {column: value for column, value in row.items() if value.text.strip()}
        if not shown:
            return
        self._rows.append((number, shown))
        self._chars += sum(len(value.text) + 3 for value in shown.values())
        if len(self._rows) >= PAGE_ROWS or self._chars >= PAGE_CHARS:
            self._cut = True
            self.parts.append(self._page([]))

    def end(self, notes: Iterable[str] = (), *, failure: str | None = None) -> list[Part]:
        """All pages. `notes` are texts that the sheet has beside its cells, `failure` says why it ends here."""
        said = [note for note in notes if note]
        if self._rows or said or not (self._cut or failure):
            self.parts.append(self._page(said))
        if failure:
            self.parts.append(Part(self.label, "", failure))
        return self.parts

    @property
    def label(self) -> str:
        label = self.name if self.name.lower().startswith("sheet") else f"Sheet {self.name}"
        return f"{label} (hidden)" if self.is_hidden else label

    def _page(self, notes: list[str]) -> Part:
        label, title = self.label, self.name
        if self._cut and self._rows:
            rows = f"rows {self._rows[0][0]}-{self._rows[-1][0]}"
            label, title = f"{label}, {rows}", f"{title}, {rows}"
        tables = list(self._tables())
        following = [*tables[1:], []]  # a header that stands apart from its rows is said with them
        texts = ["\n".join(table) for table, after in zip(tables, following, strict=False) if after[:2] != table]
        self._rows, self._chars = [], 0
        return Part(label, "\n\n".join([f"# {' '.join(title.split())}", *texts, *notes]) if texts or notes else "")

    def _tables(self) -> Iterator[list[str]]:
        """Runs of rows without a blank one between them; titles, then a table."""
        for run in self._runs():
            titles = 0
            while titles < len(run) and len(run[titles]) == 1 and not self._continues(run[titles]):
                titles += 1
            if titles:
                yield [_one_line(value.text) for row in run[:titles] for value in row.values()]
            if titles < len(run):
                yield self._table(run[titles:])

    def _runs(self) -> Iterator[list[Row]]:
        last = self._rows[0][0] - 1 if self._rows else 0
        run: list[Row] = []
        width = range(0)
        for number, row in self._rows:
            beside = run and (max(row) < width.start or min(row) >= width.stop)
            if number > last + 1 or beside:
                yield run
                run = []
                self._header = self._header if self._continues(row) else None
            width = (
                range(min(width.start, *row), max(width.stop, max(row) + 1)) if run else range(min(row), max(row) + 1)
            )
            run.append(row)
            last = number
        if run:
            yield run

    def _continues(self, row: Row) -> bool:
        """Whether a row belongs to the table before it: it stands in its columns and is no header itself."""
        if self._header is None or not self._header.keys() >= row.keys():
            return False
        return len(row) > 1 and not _is_header(row)

    def _table(self, rows: list[Row]) -> list[str]:
        if self._header is None or (not self._continues(rows[0]) and _is_header(rows[0])):
            self._header = rows[0] if _is_header(rows[0]) else None
            rows = rows[1:] if self._header is not None else rows
        columns = sorted({column for row in (self._header or {}, *rows) for column in row})
        if self._header is None:
            self._header = {column: Value(column_name(column), is_name=True) for column in columns}
        return list(table_lines([[_said(row, column) for column in columns] for row in (self._header, *rows)]))


def _said(row: Row, column: int) -> str:
    value = row.get(column)
    return value.text if value is not None else ""


def _is_header(row: Row) -> bool:
    """Texts only, or years beside a text: `Region | 2023 | 2024`."""
    names = [value.is_name or _is_year(value.text) for value in row.values()]
    return len(row) > 1 and all(names) and (any(value.is_name for value in row.values()) or 0 not in row)


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isascii() and text.isdecimal() and int(text) in YEARS


def _one_line(text: str) -> str:
    return " ".join(text.split())


def column_name(column: int) -> str:
    """0 is A, 26 is AA."""
    name = ""
    column += 1
    while column > 0:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
