"""Paragraphs, headings, list items and table rows, collected as a reader meets them, however deep they nest."""

import re
from dataclasses import dataclass, field

SPACES = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True)
class Block:
    """`clings`: no blank line to a neighbour that clings too, as between list items."""

    prefix: str
    text: str
    clings: bool = False


@dataclass(slots=True)
class Frame:
    """A paragraph or cell that is open: the words of its line so far, and the blocks that are complete."""

    words: list[str] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    prefix: str = ""
    clings: bool = False


class Blocks:
    """Builds the text of a document. Tables become lines of cells joined by ` | `; `collapse` folds runs of spaces."""

    def __init__(self, *, collapse: bool) -> None:
        self._collapse = collapse
        self._frames = [Frame()]
        self._rows: list[list[list[Block]]] = []

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
        """Start a paragraph or cell inside the current one."""
        self._frames.append(Frame())

    def close_frame(self, prefix: str = "", *, clings: bool = False) -> None:
        """End a frame. Paragraphs that stood inside it (text boxes, notes) follow it."""
        inner = self._frames.pop()
        inside, inner.blocks = inner.blocks, self._frames[-1].blocks
        inner.prefix, inner.clings = prefix, clings
        self._end_line(inner)
        inner.blocks += inside

    def close_cell(self) -> None:
        """End a frame that is a cell of the open row."""
        self.end()
        self._rows[-1].append(self._frames.pop().blocks)

    def open_row(self) -> None:
        self._end_line(self._frames[-1])
        self._rows.append([])

    def close_row(self) -> None:
        """A row is one line; a row of one cell is layout, and its blocks stand as they are."""
        cells = self._rows.pop()
        if len(cells) == 1:
            self._frames[-1].blocks += cells[0]
            return
        line = " | ".join(" ".join(block.text.replace("\n", " ") for block in cell) for cell in cells)
        if line.strip(" |\f"):
            feed = "\f" if any("\f" in block.prefix + block.text for cell in cells for block in cell) else ""
            self._frames[-1].blocks.append(Block(feed, line.replace("\f", ""), clings=True))

    @property
    def in_row(self) -> bool:
        return bool(self._rows)

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
