"""The text of a Word document (WordprocessingML, ECMA-376 part 1, chapter 17), read as a stream of events."""

from collections.abc import Callable
from dataclasses import dataclass

from app.rag.readers.archive import Archive
from app.rag.readers.blocks import Blocks
from app.rag.readers.opc import attribute
from app.rag.readers.tables import MAX_COLUMNS
from app.rag.readers.word_package import SKIPPED, Package, Style

# Characters that stand for elements; the last row writes formulas (OMML) in one line.
CHARACTERS = {
    "tab": "\t", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t",
    "sup": "^", "sub": "_", "den": "/", "rad": "√", "d": "(",
}  # fmt: skip
SYMBOL_FONTS = range(0xF000, 0xF100)  # private characters; what they look like depends on the font


def word_text(archive: Archive) -> str:
    """Headings as `# `, list items as `- `, tables as Markdown, notes after their paragraph, page breaks as form
    feeds. Deleted text is left out. Raises ParseError."""
    package = Package(archive)
    document = Document(package)
    package.read(package.main, document)
    return "\n\n".join([document.blocks.text(), *package.margins()])


@dataclass(slots=True)
class Paragraph:
    """What an open paragraph has said of itself so far."""

    level: int = 0
    listed: bool = False


class Document:
    """Turns events into blocks. Paragraphs may stand in paragraphs (text boxes) and tables in tables, to any depth."""

    def __init__(self, package: Package) -> None:
        self.blocks = Blocks(collapse=False)
        self._package = package
        self._styles = package.styles()
        self._notes = package.notes()
        self._paragraphs: list[Paragraph] = []
        self._spans: list[int] = []  # columns of each open cell
        self._goes_on = False  # whether the last opened cell is merged with the one above
        self._heads = False  # whether the open row is a header of its table
        self._skipped = 0
        self._taking = False
        self._broken = False  # an explicit page break came last: Word repeats it as a rendered one

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self._skipped or name in SKIPPED:
            self._skipped += 1
        elif name == "t":
            self._taking = True
        elif name in CHARACTERS:
            self.blocks.add(CHARACTERS[name])
        elif action := STARTS.get(name):
            action(self, attributes)

    def end(self, name: str) -> None:
        self._taking = False
        if self._skipped:
            self._skipped -= 1
        elif action := ENDS.get(name):
            action(self)

    def text(self, data: str) -> None:
        if self._taking:
            self._broken = False
            self.blocks.add(data)

    def open_paragraph(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_frame()
        self._paragraphs.append(Paragraph())

    def close_paragraph(self) -> None:
        paragraph = self._paragraphs.pop()
        if paragraph.level:
            self.blocks.close_frame("#" * min(paragraph.level, 6) + " ")
        else:
            self.blocks.close_frame("- " if paragraph.listed else "", clings=paragraph.listed)

    def style(self, attributes: dict[str, str]) -> None:
        style = self._styles.get(attribute(attributes, "val") or "", Style())
        if self._paragraphs:
            self._paragraphs[-1] = Paragraph(style.level, style.listed)

    def outline(self, attributes: dict[str, str]) -> None:
        level = attribute(attributes, "val") or ""
        if self._paragraphs and level.isdecimal():
            self._paragraphs[-1].level = (int(level) + 1) % 10

    def number(self, attributes: dict[str, str]) -> None:
        if self._paragraphs:
            self._paragraphs[-1].listed = attribute(attributes, "val") != "0"

    def open_table(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_table()

    def open_row(self, _attributes: dict[str, str]) -> None:
        self.blocks.open_row()
        self._heads = False

    def open_cell(self, _attributes: dict[str, str]) -> None:
        if self.blocks.in_row:
            self.blocks.open_frame()
            self._spans.append(1)
            self._goes_on = False

    def head_row(self, attributes: dict[str, str]) -> None:
        self._heads = attribute(attributes, "val") not in {"0", "false", "off"}

    def span(self, attributes: dict[str, str]) -> None:
        columns = attribute(attributes, "val") or ""
        if self._spans and columns.isdecimal():
            self._spans[-1] = max(1, min(int(columns[:4]), MAX_COLUMNS))

    def merge(self, attributes: dict[str, str]) -> None:
        self._goes_on = attribute(attributes, "val") in {None, "continue"}

    def close_cell(self) -> None:
        if self.blocks.in_row:
            self.blocks.close_cell(columns=self._spans.pop(), heads=self._heads, goes_on=self._goes_on)
            self._goes_on = False

    def close_row(self) -> None:
        if self.blocks.in_row:
            self.blocks.close_row()

    def line_break(self, attributes: dict[str, str]) -> None:
        if attribute(attributes, "type") == "page":
            self._break_page()
        else:
            self.blocks.add("\n")

    def page_break_before(self, attributes: dict[str, str]) -> None:
        if attribute(attributes, "val") not in {"0", "false", "off"}:
            self._break_page()

    def rendered_page_break(self, _attributes: dict[str, str]) -> None:
        if not self._broken:
            self.blocks.add("\f")
        self._broken = False

    def _break_page(self) -> None:
        self.blocks.add("\f")
        self._broken = True

    def symbol(self, attributes: dict[str, str]) -> None:
        try:
            code = int(attribute(attributes, "char") or "", 16)
        except ValueError:
            return
        if 32 <= code < 0x110000:
            self.blocks.add("•" if code in SYMBOL_FONTS else chr(code))

    def operator(self, attributes: dict[str, str]) -> None:
        self.blocks.add(attribute(attributes, "val") or "")

    def close_delimiter(self) -> None:
        self.blocks.add(")")

    def footnote(self, attributes: dict[str, str]) -> None:
        self._aside(self._notes.get(("footnote", attribute(attributes, "id") or ""), ""))

    def endnote(self, attributes: dict[str, str]) -> None:
        self._aside(self._notes.get(("endnote", attribute(attributes, "id") or ""), ""))

    def comment(self, attributes: dict[str, str]) -> None:
        self._aside(self._notes.get(("comment", attribute(attributes, "id") or ""), ""))

    def chart(self, attributes: dict[str, str]) -> None:
        self._aside(self._package.chart(attribute(attributes, "id")))

    def diagram(self, attributes: dict[str, str]) -> None:
        self._aside(self._package.words_of(attribute(attributes, "dm")))

    def inserted(self, attributes: dict[str, str]) -> None:
        self._aside(self._package.inserted(attribute(attributes, "id")))

    def _aside(self, text: str) -> None:
        """A paragraph of its own after the one that refers to it."""
        self.blocks.open_frame()
        self.blocks.add(text)
        self.blocks.close_frame()


STARTS: dict[str, Callable[[Document, dict[str, str]], None]] = {
    "p": Document.open_paragraph,
    "pStyle": Document.style,
    "outlineLvl": Document.outline,
    "numId": Document.number,
    "pageBreakBefore": Document.page_break_before,
    "tbl": Document.open_table,
    "tr": Document.open_row,
    "tblHeader": Document.head_row,
    "gridSpan": Document.span,
    "vMerge": Document.merge,
    "tc": Document.open_cell,
    "br": Document.line_break,
    "lastRenderedPageBreak": Document.rendered_page_break,
    "sym": Document.symbol,
    "chr": Document.operator,
    "footnoteReference": Document.footnote,
    "endnoteReference": Document.endnote,
    "commentReference": Document.comment,
    "chart": Document.chart,
    "relIds": Document.diagram,
    "altChunk": Document.inserted,
}
ENDS: dict[str, Callable[[Document], None]] = {
    "p": Document.close_paragraph,
    "tc": Document.close_cell,
    "tr": Document.close_row,
    "tbl": lambda document: document.blocks.close_table(),
    "d": Document.close_delimiter,
}
