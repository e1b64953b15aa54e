"""OpenDocument spreadsheets: every cell says what it shows, so that formats need not be known."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.rag.readers.merged import Area, Merged
from app.rag.readers.odf import OdfText, number
from app.rag.readers.odf_package import CONTENT, OdfPackage, OdfStyles
from app.rag.readers.opc import Silent, attribute
from app.rag.readers.sections import Part
from app.rag.readers.sheet_pages import SheetPages, Value, column_name

MAX_REPEATS = 100  # of a row or cell with text; a hostile file claims a million
MAX_REPEATED_ROWS = 10_000  # in all
MAX_COLUMNS = 16_384
SKIPPED = frozenset({"tracked-changes", "creator", "date-string", "ruby-text", "database-ranges", "dde-links"})
# Where a cell without a shown text has its value.
VALUES = ("string-value", "date-value", "time-value", "boolean-value", "value")


def odf_sheets(package: OdfPackage) -> list[Part]:
    """Raises ParseError."""
    sheets = OdfSheets(package)
    package.read(CONTENT, sheets)
    return sheets.parts


@dataclass(slots=True)
class Cell:
    attributes: dict[str, str]
    lines: list[str] = field(default_factory=list)


class OdfSheets(Silent):
    """Events of content.xml. Tables in tables and in shapes belong to the cell or shape."""

    def __init__(self, package: OdfPackage) -> None:
        self.parts: list[Part] = []
        self._package = package
        self._styles = package.common()
        self._pages = SheetPages("")
        self._merged = Merged()
        self._notes: list[str] = []
        self._tables = 0
        self._row: dict[int, Value] = {}
        self._number = 0
        self._column = 0
        self._repeats = 1
        self._repeatable = MAX_REPEATED_ROWS
        self._cell: Cell | None = None
        self._comment: list[str] | None = None
        self._words: list[str] = []
        self._paragraphs = 0
        self._skipped = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in SKIPPED:
            self._skipped += 1
        elif action := STARTS.get(name):
            action(self, attributes)
        else:
            self._styles.start(name, attributes)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif action := ENDS.get(name):
            action(self)
        else:
            self._styles.end(name)

    def text(self, data: str) -> None:
        if self._paragraphs and not self._skipped:
            self._words.append(data)

    def open_table(self, attributes: dict[str, str]) -> None:
        self._tables += 1
        if self._tables == 1:
            hidden = self._styles.of(attribute(attributes, "style-name")).is_hidden
            self._pages = SheetPages(attribute(attributes, "name") or "", is_hidden=hidden)
            self._merged, self._notes, self._number = Merged(), [], 0

    def close_table(self) -> None:
        self._tables -= 1
        if self._tables == 0:
            self.parts += self._pages.end(self._notes)

    def open_row(self, attributes: dict[str, str]) -> None:
        if self._tables == 1:
            self._row, self._column = {}, 0
            self._repeats = number(attribute(attributes, "number-rows-repeated"))

    def close_row(self) -> None:
        if self._tables > 1:
            return
        repeats = min(self._repeats, MAX_REPEATS, self._repeatable + 1) if self._row else 0
        self._repeatable -= max(0, repeats - 1)
        for step in range(repeats):
            row = self._number + step + 1
            self._pages.add(row, self._merged.fill(row, self._row))
        self._number += self._repeats

    def open_cell(self, attributes: dict[str, str]) -> None:
        if self._tables == 1:
            self._cell = Cell(attributes)

    def close_cell(self) -> None:
        if self._tables > 1 or self._cell is None:
            return
        cell, self._cell = self._cell, None
        said = "\n".join(cell.lines) or self._value(cell)
        repeats = number(attribute(cell.attributes, "number-columns-repeated"))
        if said.strip():
            is_name = attribute(cell.attributes, "value-type") in {None, "string"}
            for column in range(self._column, min(self._column + min(repeats, MAX_REPEATS), MAX_COLUMNS)):
                self._row[column] = Value(said, is_name=is_name)
            self._merge(cell)
        self._column += repeats

    def skip_cell(self, attributes: dict[str, str]) -> None:
        """A cell under a merged one; what it holds is not shown."""
        if self._tables == 1:
            self._column += number(attribute(attributes, "number-columns-repeated"))
        self._skipped += 1

    def open_paragraph(self, _attributes: dict[str, str]) -> None:
        self._paragraphs += 1

    def close_paragraph(self) -> None:
        self._paragraphs -= 1
        if self._paragraphs:
            self._words.append(" ")
            return
        said = "".join(self._words).strip()
        self._words.clear()
        if self._comment is not None:
            self._comment.append(said)
        elif self._cell is not None:
            self._cell.lines.append(said)
        elif self._tables:
            self._notes.append(said)

    def open_comment(self, _attributes: dict[str, str]) -> None:
        self._comment = []

    def close_comment(self) -> None:
        words = " ".join(self._comment or ())
        if words.strip():
            self._notes.append(f"Comment on {column_name(self._column)}{self._number + 1}: {words}")
        self._comment = None

    def embedded(self, attributes: dict[str, str]) -> None:
        inner = OdfText(self._package, OdfStyles())
        inner.embedded(attributes)
        self._notes.append(inner.blocks.text())

    def space(self, _attributes: dict[str, str]) -> None:
        self.text(" ")

    def _merge(self, cell: Cell) -> None:
        columns = number(attribute(cell.attributes, "number-columns-spanned"))
        rows = number(attribute(cell.attributes, "number-rows-spanned"))
        if columns > 1 or rows > 1:
            top = self._number + 1
            area = Area(top, top + rows - 1, self._column, self._column + columns - 1)
            self._merged.starting.setdefault(top, []).append(area)

    def _value(self, cell: Cell) -> str:
        if attribute(cell.attributes, "value-type") is None:
            return ""
        return next((said for name in VALUES if (said := attribute(cell.attributes, name))), "")


STARTS: dict[str, Callable[[OdfSheets, dict[str, str]], None]] = {
    "table": OdfSheets.open_table,
    "table-row": OdfSheets.open_row,
    "table-cell": OdfSheets.open_cell,
    "covered-table-cell": OdfSheets.skip_cell,
    "p": OdfSheets.open_paragraph,
    "h": OdfSheets.open_paragraph,
    "s": OdfSheets.space,
    "tab": OdfSheets.space,
    "line-break": OdfSheets.space,
    "annotation": OdfSheets.open_comment,
    "object": OdfSheets.embedded,
}
ENDS: dict[str, Callable[[OdfSheets], None]] = {
    "table": OdfSheets.close_table,
    "table-row": OdfSheets.close_row,
    "table-cell": OdfSheets.close_cell,
    "p": OdfSheets.close_paragraph,
    "h": OdfSheets.close_paragraph,
    "annotation": OdfSheets.close_comment,
}
