"""The text of an old Word file: headings, lists, tables, notes and comments as of a new one."""

import re
from collections.abc import Iterator

from app.rag.readers.blocks import Blocks
from app.rag.readers.doc_file import DocFile, Mark

PARAGRAPH = re.compile("[^\r\x07\x0c]*(?:[\r\x07\x0c]|$)")
FIELD = re.compile("[\x13\x14\x15]")
# Marks of pictures, notes, drawings and fields; the rest stands for something that can be written.
UNSAID = dict.fromkeys((0, 1, 2, 3, 4, 5, 6, 8, 0x13, 0x14, 0x15, 0x1F))
WRITTEN = {0x0B: "\n", 0x0E: "\n", 0x1E: "-", 0xA0: " "}
AFTER = {"footnotes": "", "endnotes": "", "comments": "Comment: ", "boxes": "", "header boxes": "", "headers": ""}
CELL, PAGE = "\x07", "\x0c"


def doc_text(file: DocFile) -> str:
    """Form feeds begin pages. What stands outside the text follows it."""
    reader = Reader()
    start, _ = file.parts["text"]
    for said, position in _paragraphs(file.part("text"), start):
        reader.take(said, file.mark(position))
    texts = [reader.text()]
    for name, prefix in AFTER.items():
        paragraphs = [_clean(paragraph) for paragraph, _ in _paragraphs(file.part(name), 0)]
        lines = dict.fromkeys(" ".join(line.split()) for line in paragraphs if any(map(str.isalpha, line)))
        texts += [prefix + line for line in lines]
    return "\n\n".join(filter(None, texts))


class Reader:
    """Takes paragraphs with the character that ends them."""

    def __init__(self) -> None:
        self._blocks = Blocks(collapse=False)
        self._in_table = False
        self._in_cell = False

    def take(self, said: str, mark: Mark | None) -> None:
        end, text = said[-1:], _clean(said.rstrip("\r\x07\x0c"))
        if mark is None:  # two ends of cells in a row end the row
            in_table, ends_row = end == CELL, end == CELL and not text and self._in_table and not self._in_cell
            mark = Mark(in_table=in_table or self._in_cell, ends_row=ends_row)
        if (mark.in_table or mark.ends_row) and end != PAGE:
            self._take_cell(text, mark, is_end=end == CELL)
            return
        self._close_table()
        if mark.new_page:
            self._blocks.add("\f")
        prefix = "#" * min(mark.level, 6) + " " if mark.level else "- " if mark.listed else ""
        self._blocks.begin(prefix, clings=prefix == "- ")
        self._blocks.add(text)
        self._blocks.end()
        if end == PAGE:
            self._blocks.add("\f")

    def text(self) -> str:
        self._close_table()
        return self._blocks.text()

    def _take_cell(self, text: str, mark: Mark, *, is_end: bool) -> None:
        if not self._in_table:
            self._blocks.open_table()
            self._in_table = True
        if mark.ends_row:
            self._close_cell()
            self._blocks.close_row()
            return
        if not self._blocks.in_row:
            self._blocks.open_row()
        if not self._in_cell:
            self._blocks.open_frame()
            self._in_cell = True
        self._blocks.begin()
        self._blocks.add(text)
        self._blocks.end()
        if is_end:
            self._close_cell()

    def _close_cell(self) -> None:
        if self._in_cell:
            self._blocks.close_cell()
        self._in_cell = False

    def _close_table(self) -> None:
        if self._in_table:
            self._close_cell()
            if self._blocks.in_row:
                self._blocks.close_row()
            self._blocks.close_table()
        self._in_table = False


def _paragraphs(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Each with its last character, and where that stands. What fields are made of is blanked out."""
    shown = _without_codes(text)
    for found in PARAGRAPH.finditer(shown):
        if found[0]:
            yield found[0], start + found.end() - 1


def _without_codes(text: str) -> str:
    """A field is a code, maybe what it comes to, and an end; fields may stand in fields. Lengths stay the same."""
    if "\x13" not in text:
        return text
    parts: list[str] = []
    open_fields: list[bool] = []  # whether each is still in its code
    codes = last = 0
    for found in FIELD.finditer(text):
        piece = text[last : found.end()]
        parts.append("\0" * len(piece) if codes else piece)
        last = found.end()
        if found[0] == "\x13":
            open_fields.append(True)
            codes += 1
        elif open_fields:
            codes -= open_fields[-1]
            open_fields[-1] = False
            if found[0] == "\x15":
                open_fields.pop()
    return "".join(parts) + text[last:]


def _clean(text: str) -> str:
    said = text.translate({**UNSAID, **WRITTEN})
    return said.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
