"""Excel workbooks (SpreadsheetML, ECMA-376 part 1, chapter 18), cell by cell: a far one costs nothing."""

import io
from collections.abc import Iterator
from functools import lru_cache

from app.rag.pages import ParseError
from app.rag.readers.archive import Entry
from app.rag.readers.merged import Merged, column_number
from app.rag.readers.opc import Opc, Relation, Silent
from app.rag.readers.sections import Part
from app.rag.readers.sheet_notes import sheet_notes
from app.rag.readers.sheet_pages import SheetPages, Value
from app.rag.readers.workbook_parts import NUMBER, Book, Sheet, Strings, Styles
from app.rag.readers.xml import parse_xml

# Merged cells are named after the rows. In a larger sheet they are not looked for.
MERGED_IN_BYTES = 32 << 20
SHEETS = ("worksheet", "dialogsheet", "chartsheet", "xlMacrosheet", "xlIntlMacrosheet")
MARGINS = ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter")
MAX_COLUMNS = 16_384
column_of = lru_cache(MAX_COLUMNS)(column_number)


def workbook_parts(package: Opc) -> Iterator[Part]:
    """Pages of every sheet, the hidden ones marked. Raises ParseError."""
    book = Book()
    package.read(package.main, book)
    relations = package.relations(package.main)
    for kind, part in relations.values():
        if kind == "sharedStrings":
            package.read(part, Strings(book.strings))
        elif kind == "styles":
            styles = Styles()
            package.read(part, styles)
            book.formats = styles.formats()
    for sheet in book.sheets:
        relation = relations.get(sheet.relation, Relation("", ""))
        if relation.kind in SHEETS:
            yield from _sheet(package, book, sheet, relation.part)


def _sheet(package: Opc, book: Book, sheet: Sheet, part: str) -> list[Part]:
    pages = SheetPages(sheet.name, is_hidden=sheet.is_hidden)
    try:
        with package.archive.open(part) as entry:
            whole = entry.read(MERGED_IN_BYTES)
            merged = Merged.in_sheet(whole) if len(whole) < MERGED_IN_BYTES else Merged()
            cells = Cells(book, pages, merged)
            parse_xml(_Joined(whole, entry), cells)
        return pages.end([*cells.margins, *sheet_notes(package, part)])
    except ParseError as error:
        if error.code != "damaged":
            raise
        return pages.end(failure=error.message)


class _Joined:
    """The bytes that were read ahead, then the rest."""

    def __init__(self, ahead: bytes, rest: Entry) -> None:
        self._ahead = io.BytesIO(ahead)
        self._rest = rest

    def read(self, size: int) -> bytes:
        return self._ahead.read(size) or self._rest.read(size)


class Cells(Silent):
    """Events of a worksheet. Rows without numbers and cells without references follow those before them."""

    def __init__(self, book: Book, pages: SheetPages, merged: Merged) -> None:
        self.margins: list[str] = []
        self._book = book
        self._pages = pages
        self._merged = merged
        self._number = 0
        self._column = -1
        self._row: dict[int, Value] = {}
        self._type = "n"
        self._format = NUMBER
        self._said: list[str] = []
        self._formula = ""
        self._taking = False
        self._skipped = 0  # the reading of Chinese characters

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._open_cell(attributes)
        elif name == "row":
            number = attributes.get("r", "")
            self._number = int(number) if number.isdecimal() and len(number) < 8 else self._number + 1
            self._column = -1
        elif name == "rPh":
            self._skipped += 1
        else:
            self._taking = name in {"v", "t", "f", *MARGINS} and not self._skipped

    def end(self, name: str) -> None:
        self._taking = False
        if name == "c":
            self._close_cell()
        elif name == "row":
            self._pages.add(self._number, self._merged.fill(self._number, self._row))
            self._row = {}
        elif name == "f":
            self._formula = "".join(self._said)
            self._said.clear()
        elif name == "rPh":
            self._skipped -= 1
        elif name in MARGINS:
            self.margins.append(margin("".join(self._said)))
            self._said.clear()

    def text(self, data: str) -> None:
        if self._taking:
            self._said.append(data)

    def _open_cell(self, attributes: dict[str, str]) -> None:
        reference = attributes.get("r")
        letters = reference.rstrip("0123456789$").upper() if reference else ""
        known = letters.isascii() and letters.isalpha() and len(letters) <= 3
        self._column = column_of(letters) if known else self._column + 1
        self._type = attributes.get("t", "n")
        style = attributes.get("s", "")
        formats = self._book.formats
        index = int(style) if style.isdecimal() and len(style) < 7 else len(formats)
        self._format = formats[index] if index < len(formats) else NUMBER

    def _close_cell(self) -> None:
        said = "".join(self._said)
        self._said.clear()
        formula, self._formula = self._formula, ""
        if self._column >= MAX_COLUMNS or not (said or formula):
            return
        if not said:
            self._row[self._column] = Value(f"={formula}", is_name=False)  # nobody has calculated it yet
        elif self._type == "s":
            strings = self._book.strings
            index = int(said) if said.isdecimal() and len(said) < 10 else len(strings)
            self._row[self._column] = Value(strings[index] if index < len(strings) else "", is_name=True)
        elif self._type == "b":
            self._row[self._column] = Value("TRUE" if said.strip() in {"1", "true"} else "FALSE", is_name=False)
        elif self._type == "n":
            self._row[self._column] = Value(self._format.show(said, from_1904=self._book.from_1904), is_name=False)
        else:
            self._row[self._column] = Value(said, is_name=self._type in {"str", "inlineStr"})


def margin(code: str) -> str:
    """The words of a page's header or footer. `&P` and the like stand for page numbers, dates and fonts."""
    words: list[str] = []
    position = 0
    while position < len(code):
        if code[position] != "&":
            words.append(code[position])
            position += 1
        elif code[position + 1 : position + 2] in {'"', "K"}:
            end = code.find('"', position + 2) if code[position + 1] == '"' else position + 7
            position = (end if end > 0 else len(code)) + 1
        else:
            following = code[position + 1 : position + 2]
            words.append("&" if following == "&" else " ")
            position += 2
            while following.isdecimal() and code[position : position + 1].isdecimal():
                position += 1
    said = "".join(words).split()
    return " ".join(said) if len(said) > 2 or "&P" not in code else ""  # "Page 1" says nothing
