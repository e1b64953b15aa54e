"""Texts and presentations in OpenDocument format (ISO/IEC 26300), read as a stream of events."""

import posixpath
from collections.abc import Callable
from dataclasses import dataclass

from app.rag.readers.blocks import Blocks
from app.rag.readers.odf_package import OdfPackage, OdfStyles
from app.rag.readers.opc import attribute

SKIPPED = frozenset({"tracked-changes", "note-citation", "creator", "date-string", "ruby-text", "initials"})
MAX_DEPTH = 3  # of objects in objects
MAX_SPACES = 100


@dataclass(slots=True)
class Cell:
    columns: int = 1
    rows: int = 1
    repeated: int = 1


class OdfText:
    """Headings as `# `, list items as `- `, tables as Markdown, page breaks as form feeds, notes and comments after
    their paragraph, charts and formulas where they stand. Deleted text is left out."""

    def __init__(self, package: OdfPackage, styles: OdfStyles, *, folder: str = "", depth: int = 0) -> None:
        self.blocks = Blocks(collapse=False)
        self.package = package
        self.styles = styles
        self._folder = folder
        self._depth = depth
        self._prefixes: list[str] = []  # of each open paragraph
        self._item = False  # a list item that has no paragraph yet
        self._heads = 0  # open header rows
        self._cells: list[Cell] = []
        self._math = 0
        self._skipped = 0
        self._comment = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in SKIPPED or (name == "annotation" and self._math):
            self._skipped += 1
        elif action := STARTS.get(name):
            action(self, attributes)
        else:
            self.styles.start(name, attributes)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif action := ENDS.get(name):
            action(self)
        else:
            self.styles.end(name)

    def text(self, data: str) -> None:
        if (self._prefixes or self._math) and not self._skipped:
            self.add(data if self._math == 0 else data.strip())

    def add(self, text: str) -> None:
        self.blocks.add(text)

    def open_paragraph(self, attributes: dict[str, str]) -> None:
        style = self.styles.of(attribute(attributes, "style-name"))
        self.blocks.open_frame()
        if style.breaks_page:
            self.blocks.add("\f")
        prefix = "# " if style.is_title else "- " if self._item else "Comment: " if self._comment else ""
        self._item = self._comment = False
        self._prefixes.append(prefix)

    def open_heading(self, attributes: dict[str, str]) -> None:
        self.open_paragraph(attributes)
        level = attribute(attributes, "outline-level") or attribute(attributes, "level") or "1"
        self._prefixes[-1] = "#" * min(number(level), 6) + " "

    def close_paragraph(self) -> None:
        if self._prefixes:
            prefix = self._prefixes.pop()
            self.blocks.close_frame(prefix, clings=prefix == "- ")

    def open_item(self, _attributes: dict[str, str]) -> None:
        self._item = True

    def close_item(self) -> None:
        self._item = False

    def spaces(self, attributes: dict[str, str]) -> None:
        self.text(" " * min(number(attribute(attributes, "c")), MAX_SPACES))

    def open_table(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_table()

    def open_header(self, _attributes: dict[str, str]) -> None:
        self._heads += 1

    def close_header(self) -> None:
        self._heads -= 1

    def open_cell(self, attributes: dict[str, str]) -> None:
        if self.blocks.in_row:
            self.blocks.open_frame()
            spans = ("number-columns-spanned", "number-rows-spanned", "number-columns-repeated")
            self._cells.append(Cell(*(number(attribute(attributes, span)) for span in spans)))

    def close_cell(self) -> None:
        if self.blocks.in_row and self._cells:
            cell = self._cells.pop()
            self.blocks.close_cell(columns=cell.columns, rows=cell.rows, heads=self._heads > 0)
            for _ in range(min(cell.repeated, MAX_SPACES) - 1):
                self.blocks.open_frame()
                self.blocks.close_cell(heads=self._heads > 0)

    def break_page(self, _attributes: dict[str, str]) -> None:
        self.blocks.add("\f")

    def open_comment(self, _attributes: dict[str, str]) -> None:
        self._comment = True

    def open_math(self, _attributes: dict[str, str]) -> None:
        self._math += 1

    def close_math(self) -> None:
        self._math -= 1

    def embedded(self, attributes: dict[str, str]) -> None:
        """A chart or formula, which is a document of its own within the file."""
        href = attribute(attributes, "href") or ""
        folder = posixpath.normpath(posixpath.join(self._folder, href.removeprefix("./")))
        part = f"{folder}/content.xml"
        if self._depth >= MAX_DEPTH or part not in self.package.archive.names or not self.package.objects_left:
            return
        self.package.objects_left -= 1
        inner = OdfText(self.package, OdfStyles(), folder=folder, depth=self._depth + 1)
        self.package.read(part, inner)
        self.blocks.open_frame()
        self.blocks.add(inner.blocks.text().replace("\f", ""))
        self.blocks.close_frame()


def number(value: str | None) -> int:
    """A count of at least 1."""
    return max(1, int(value[:7])) if value and value.isascii() and value.isdecimal() else 1


STARTS: dict[str, Callable[[OdfText, dict[str, str]], None]] = {
    "p": OdfText.open_paragraph,
    "h": OdfText.open_heading,
    "list-item": OdfText.open_item,
    "s": OdfText.spaces,
    "tab": lambda text, _: text.text("\t"),
    "tab-stop": lambda text, _: text.text("\t"),
    "line-break": lambda text, _: text.text("\n"),
    "soft-page-break": OdfText.break_page,
    "table": OdfText.open_table,
    "table-header-rows": OdfText.open_header,
    "table-row": lambda text, _: text.blocks.open_row(),
    "table-cell": OdfText.open_cell,
    "annotation": OdfText.open_comment,
    "object": OdfText.embedded,
    "math": OdfText.open_math,
}
ENDS: dict[str, Callable[[OdfText], None]] = {
    "p": OdfText.close_paragraph,
    "h": OdfText.close_paragraph,
    "list-item": OdfText.close_item,
    "table": lambda text: text.blocks.close_table(),
    "table-header-rows": OdfText.close_header,
    "table-row": lambda text: text.blocks.close_row(),
    "table-cell": OdfText.close_cell,
    "math": OdfText.close_math,
}
