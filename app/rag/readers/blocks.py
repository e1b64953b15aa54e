"""Paragraphs, headings, list items and table rows, collected as a reader meets them, however deep they nest."""

import re
from dataclasses import dataclass, field

from app.rag.pages import ParseError
from app.rag.readers.tables import Cell, Grid

SPACES = re.compile(r"[ \t]+")
# A table that only arranges a page has whole texts in its cells: they are told one after the other.
LAYOUT_CHARS = 1500
LAYOUT_BLOCKS = 20
MAX_DEPTH = 10_000  # what is nested is copied at each level


@dataclass(frozen=True, slots=True)
class Block:
    """`clings`: no blank line to a neighbour that clings too, as between list items. `flat`: what is said in a cell."""

    prefix: str
    text: str
    clings: bool = False
    flat: str | None = None

    @property
    def inline(self) -> str:
        return self.text.replace("\n", " ") if self.flat is None else self.flat


@dataclass(slots=True)
class Frame:
    """A paragraph or cell that is open: the words of its line so far, and the blocks that are complete."""

    words: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prefix: str = ""
    clings: bool = False


@dataclass(slots=True)
class Table:
    """A table that is open: its cells, the blocks that they are made of, and whether they are a layout."""

    rows: list[tuple[list[Cell], list[Block]]] = field(default_factory=list)
    cells: list[Cell] | None = None  # of the open row
    blocks: list[Block] = field(default_factory=list)
    is_layout: bool = False
    is_loose: bool = False  # a row without a table around it


class Blocks:
    """Builds the text of a document. Tables become Markdown, a nested one a line; `collapse` folds runs of spaces.

    A table of one column, or with whole texts in its cells, is layout: its blocks stand as they are.
    """

    def __init__(self, *, collapse: bool) -> None:
        self._collapse = collapse
        self._frames = [Frame()]
        self._tables: list[Table] = []

    def add(self, text: str) -> None:
        """Text of the current line; a line feed in it breaks the line."""
        self._frames[-1].words.append(text)

    def begin(self, prefix: str = "", *, clings: bool = False) -> None:
        """Start a block. `prefix` goes before its first text; blocks that cling have no blank line between them."""
        frame = self._frames[-1]
        self._end_line(frame)
        if prefix:
            frame.prefix, frame.clings = prefix, clings

    def end(self) -> None:
        frame = self._frames[-1]
        self._end_line(frame)
        frame.prefix, frame.clings = "", False

    def open_frame(self) -> None:
        """Start a paragraph or cell inside the current one. Raises ParseError when they nest too deeply."""
        if len(self._frames) > MAX_DEPTH:
            raise ParseError("damaged", "the document nests its paragraphs and tables too deeply to be read")
        self._frames.append(Frame())

    def close_frame(self, prefix: str = "", *, clings: bool = False) -> None:
        """End a frame. Paragraphs that stood inside it (text boxes, notes) follow it."""
        inner = self._frames.pop()
        inside, inner.blocks = inner.blocks, self._frames[-1].blocks
        inner.prefix, inner.clings = prefix, clings
        self._end_line(inner)
        inner.blocks += inside

    def open_table(self) -> None:
        self._end_line(self._frames[-1])
        self._tables.append(Table())

    def open_row(self) -> None:
        self._end_line(self._frames[-1])
        if not self._tables or self.in_row:
            self._tables.append(Table(is_loose=True))
        self._tables[-1].cells = []

    def close_cell(self, *, columns: int = 1, rows: int = 1, heads: bool = False, goes_on: bool = False) -> None:
        """End a frame that is a cell of the open row."""
        self.end()
        blocks, table = self._frames.pop().blocks, self._tables[-1]
        feed = "\f" if any("\f" in block.prefix for block in blocks) else ""
        text = feed + " ".join(block.inline for block in blocks)
        table.is_layout |= len(blocks) > LAYOUT_BLOCKS or len(text) > LAYOUT_CHARS
        table.blocks += blocks
        if table.cells is not None:
            table.cells.append(Cell(text, columns, rows, heads, goes_on))

    def close_row(self) -> None:
        table = self._tables[-1]
        if table.cells:
            table.rows.append((table.cells, table.blocks))
        table.cells, table.blocks = None, []
        if table.is_loose:
            self.close_table()

    def close_table(self) -> None:
        table = self._tables.pop()
        frame = self._frames[-1]
        if table.is_layout or all(len(cells) == 1 for cells, _ in table.rows):
            frame.blocks += [block for _, blocks in table.rows for block in blocks]
            return
        rows = [cells for cells, _ in table.rows]
        flat = "; ".join(filter(None, (", ".join(cell.text for cell in row if cell.text.strip()) for row in rows)))
        if flat:
            text = "\n".join(Grid(rows).lines()).replace("\n\f", "\f")
            feeds = text[: len(text) - len(text.lstrip("\f"))]
            frame.blocks.append(Block(feeds, text[len(feeds) :], flat=flat.replace("\f", "")))

    @property
    def in_table(self) -> bool:
        return bool(self._tables)

    @property
    def in_row(self) -> bool:
        return bool(self._tables) and self._tables[-1].cells is not None

    def text(self) -> str:
        """Everything so far: a blank line between blocks, a line end between those that cling."""
        self.end()
        parts: list[str] = []
        before = False
        for block in self._frames[0].blocks:
            if parts:
                parts.append("\n" if block.clings and before else "\n\n")
            parts += (block.prefix, block.text)
            before = block.clings
        return "".join(parts)

    def _end_line(self, frame: Frame) -> None:
        text = self._tidy("".join(frame.words))
        frame.words.clear()
        if text:
            bare = text.lstrip("\f")  # a page begins before the prefix of its first line
            feeds = text[: len(text) - len(bare)]
            frame.blocks.append(Block(feeds + (frame.prefix if bare else ""), bare, frame.clings))
            frame.prefix = "" if bare else frame.prefix

    def _tidy(self, text: str) -> str:
        if self._collapse:
            return "\n".join(SPACES.sub(" ", line).strip(" ") for line in text.split("\n")).strip("\n")
        return text.strip(" \t\n")
