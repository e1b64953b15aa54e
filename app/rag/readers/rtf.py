"""The text of an RTF document, read as a stream of control words: own code pages per font, Unicode escapes, tables."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.rag.readers.blocks import Blocks
from app.rag.readers.rtf_fonts import Fonts
from app.rag.readers.rtf_tables import CHARACTERS, KEPT, SKIPPED, SYMBOLS

TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n\0]+|([^\\{}\r\n\0]+)|\\",
    re.DOTALL,
)
HEADING = re.compile(r"heading ?([1-9])\b|(title)\b", re.IGNORECASE)
NOTES = frozenset({"footnote", "annotation"})
LABELS = frozenset({"listtext", "pntext"})


@dataclass(slots=True)
class Group:
    """What holds until the closing brace. `into`: the destination that began in this group."""

    font: int | None = None
    skipped: bool = False
    hidden: bool = False
    unicode_skip: int = 1
    into: str = ""
    starred: bool = False


@dataclass(slots=True)
class Paragraph:
    """The open paragraph's place. `level` 1 is the highest heading, 0 none."""

    level: int = 0
    in_table: bool = False


def rtf_text(data: bytes) -> str:
    """Headings as `# `, list items as `- `, tables as Markdown, notes after their paragraph, page breaks as form
    feeds. Deleted and hidden text, headers and footers are left out."""
    document = Document()
    position = 0
    while found := TOKEN.match(data, position):
        position = found.end() + document.token(found)
    return document.finish()


class Document:
    """Takes tokens and collects paragraphs."""

    def __init__(self) -> None:
        self._blocks = Blocks(collapse=False)
        self._groups = [Group()]
        self.fonts = Fonts()
        self._headings: dict[int, int] = {}  # style -> level
        self._style = 0
        self._bytes = bytearray()  # not decoded yet: a letter may be several tokens
        self._left = 0  # characters that repeat a Unicode escape for old readers
        self._words: list[str] = []
        self._aside: list[tuple[str, list[str]]] = []  # destinations that set the words around them aside
        self._notes: list[str] = []
        self._prefix = ""
        self._paragraph = Paragraph()
        self._cells: list[str] = []
        self._has_table = False

    def token(self, found: re.Match[bytes]) -> int:
        """How many bytes to skip after it."""
        word, number, byte, symbol, brace, text = found.groups()
        if text is not None or byte is not None:
            self._take(text if text is not None else bytes.fromhex(byte.decode()))
        elif brace == b"{":
            self._flush()
            self._groups.append(replace(self._groups[-1], into="", starred=False))
        elif brace == b"}":
            self._close()
        elif symbol is not None:
            self._symbol(symbol.decode("latin-1"))
        elif word is not None:
            value = None if number is None else int(number)
            if word == b"bin":
                return max(0, value or 0)
            self._word(word.decode(), value)
        return 0

    def finish(self) -> str:
        while len(self._groups) > 1:
            self._close()
        self._end_paragraph()
        self._end_table()
        text = self._blocks.text()
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _take(self, data: bytes) -> None:
        if self._left:
            dropped = min(self._left, len(data))
            self._left -= dropped
            data = data[dropped:]
        if self._takes:
            self._bytes += data

    @property
    def _takes(self) -> bool:
        group = self._groups[-1]
        return not (group.skipped or group.hidden)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self._groups[-1].starred = True
        elif symbol in "\r\n":
            self._word("par", None)
        elif self._left:
            self._left -= 1
        else:
            self._say(SYMBOLS.get(symbol, ""))

    def _word(self, word: str, value: int | None) -> None:
        if word == "u" and value is not None:
            self._say(chr(value & 0xFFFF))
            self._left = self._groups[-1].unicode_skip
            return
        self._left = 0
        if word in CHARACTERS:
            self._say(CHARACTERS[word])
        elif action := ACTIONS.get(word):
            self._flush()
            action(self, value)
        elif self._groups[-1].starred or word in SKIPPED or word in NOTES or word in LABELS:
            self._begin(word)

    def _begin(self, word: str) -> None:
        """A destination: the rest of its group belongs to it."""
        self._flush()
        group = self._groups[-1]
        group.skipped |= word in SKIPPED - KEPT or (group.starred and word not in KEPT)
        group.starred = False
        if word in NOTES or word in LABELS:
            group.into = word
            self._aside.append((word, self._words))
            self._words = []

    def _close(self) -> None:
        self._flush()
        self._left = 0
        if len(self._groups) == 1:
            return
        group = self._groups.pop()
        if group.into in {"fonttbl", "stylesheet"}:
            self._words = self._aside.pop()[1]
        elif group.into and self._aside:
            said, (word, self._words) = "".join(self._words).strip(), self._aside.pop()
            if word in NOTES:
                self._notes.append(said)
            elif said:
                self._prefix = f"{said} " if any(map(str.isalnum, said)) else "- "
        elif self._groups[-1].into == "stylesheet" and (found := HEADING.search("".join(self._words))):
            self._headings[self._style] = int(found[1] or 1)
        if self._groups[-1].into in {"fonttbl", "stylesheet"}:
            self._words.clear()

    def _say(self, text: str) -> None:
        self._flush()
        if self._takes:
            self._words.append(text)

    def _flush(self) -> None:
        if not self._bytes:
            return
        data = bytes(self._bytes)
        self._bytes.clear()
        self._words.append(self.fonts.decode(data, self._groups[-1].font))

    def _end_paragraph(self) -> None:
        self._flush()
        if self._aside:  # inside a note
            self._words.append(" ")
            return
        words = "".join(self._words)
        if self._cells or self._paragraph.in_table:
            self._words = [words, " "] if words else []
            return
        self._words = []
        if words.strip(" \t\n"):
            self._end_table()
            self._block(words)
        for note in self._notes:
            self._block(note)
        self._notes.clear()

    def _block(self, words: str) -> None:
        level = self._paragraph.level
        self._blocks.begin("#" * min(level, 6) + " " if level else self._prefix, clings=bool(self._prefix))
        self._blocks.add(words)
        self._blocks.end()
        self._prefix = ""

    def end_paragraph(self, _value: int | None) -> None:
        if self._takes:
            self._end_paragraph()

    def end_cell(self, _value: int | None) -> None:
        if self._takes and not self._aside:
            self._cells.append(self._prefix + "".join(self._words).strip())
            self._words, self._prefix = [], ""

    def end_row(self, _value: int | None) -> None:
        if not self._has_table:
            self._blocks.open_table()
            self._has_table = True
        self._blocks.open_row()
        for cell in self._cells:
            self._blocks.open_frame()
            self._blocks.add(cell)
            self._blocks.close_cell()
        self._blocks.close_row()
        self._cells = []

    def _end_table(self) -> None:
        if self._cells:
            self.end_row(None)
        if self._has_table:
            self._blocks.close_table()
            self._has_table = False

    def reset_paragraph(self, _value: int | None) -> None:
        self._paragraph = Paragraph()

    def in_table(self, value: int | None) -> None:
        self._paragraph.in_table = value != 0

    def outline(self, value: int | None) -> None:
        self._paragraph.level = (value + 1) % 10 if value is not None and 0 <= value <= 9 else 0

    def style(self, value: int | None) -> None:
        self._style = value or 0
        self._paragraph.level = self._headings.get(self._style, 0)

    def font(self, value: int | None) -> None:
        self._groups[-1].font = self.fonts.described = value or 0

    def plain(self, _value: int | None) -> None:
        self._groups[-1].font, self._groups[-1].hidden = None, False

    def hide(self, value: int | None) -> None:
        self._groups[-1].hidden = value != 0

    def unicode_skip(self, value: int | None) -> None:
        self._groups[-1].unicode_skip = min(max(value or 0, 0), 16)

    def read_table(self, name: str) -> None:
        """Fonts or styles: their names are no text."""
        if self._groups[-1].into == "" and not self._aside:
            self._groups[-1].into = name
            self._aside.append((name, self._words))
            self._words = []


ACTIONS: dict[str, Callable[[Document, int | None], None]] = {
    "par": Document.end_paragraph,
    "sect": Document.end_paragraph,
    "cell": Document.end_cell,
    "row": Document.end_row,
    "pard": Document.reset_paragraph,
    "intbl": Document.in_table,
    "outlinelevel": Document.outline,
    "s": Document.style,
    "f": Document.font,
    "fcharset": lambda document, value: document.fonts.describe(charset=value),
    "cpg": lambda document, value: document.fonts.describe(page=value),
    "deff": lambda document, value: document.fonts.set_default(font=value),
    "ansicpg": lambda document, value: document.fonts.set_default(page=value),
    "mac": lambda document, _value: document.fonts.set_default(page=10000),
    "pc": lambda document, _value: document.fonts.set_default(page=437),
    "pca": lambda document, _value: document.fonts.set_default(page=850),
    "plain": Document.plain,
    "v": Document.hide,
    "deleted": Document.hide,
    "htmlrtf": Document.hide,
    "uc": Document.unicode_skip,
    "fonttbl": lambda document, _value: document.read_table("fonttbl"),
    "stylesheet": lambda document, _value: document.read_table("stylesheet"),
}
