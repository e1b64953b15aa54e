"""Old Word files as bytes (MS-DOC; for Word 6 and 95 the format specification of 1998): text and paragraph marks."""

import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise

from app.rag.pages import ParseError
from app.rag.readers.ole import AGAIN, LOCKED, Streams

WORD_97 = 0xC1
ENCRYPTED, SECOND_TABLE, COMPLEX = 0x100, 0x200, 0x4
EIGHT_BIT = 0x40000000  # of a piece's place in the file
PAGE_BYTES = 512
# Where a header has what: Word 97 and later, Word 6 and 95.
PIECES = {True: 0x1A2, False: 0x160}
PARAGRAPHS = {True: 0x102, False: 0xC0}
LENGTHS = {True: 0x4C, False: 0x34}
PARTS = ("text", "footnotes", "headers", "macros", "comments", "endnotes", "boxes", "header boxes")
# Code pages of the languages (the low ten bits of their numbers) that do not use cp1252.
CODE_PAGES = {
    **dict.fromkeys((0x19, 0x22, 0x23, 0x02, 0x2F), "cp1251"),
    **dict.fromkeys((0x05, 0x0E, 0x15, 0x18, 0x1A, 0x1B, 0x24), "cp1250"),
    0x08: "cp1253",
    0x1F: "cp1254",
    0x0D: "cp1255",
    0x01: "cp1256",
    0x29: "cp1256",
    0x1E: "cp874",
    0x11: "cp932",
    0x04: "gb18030",
    0x12: "cp949",
    0x2A: "cp1258",
    **dict.fromkeys((0x25, 0x26, 0x27), "cp1257"),
}
SIZES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}  # of a change's operand, by the upper bits of its number


@dataclass(slots=True)
class Mark:
    """What a paragraph says of itself. `level` 1 is the highest heading, 0 none."""

    level: int = 0
    listed: bool = False
    in_table: bool = False
    ends_row: bool = False
    new_page: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters from `start` on; bytes of the file from `place` on, `width` for each character."""

    start: int
    end: int
    place: int
    width: int


class DocFile:
    """`texts` are the parts of a document by name. Raises ParseError."""

    def __init__(self, streams: Streams) -> None:
        self._data = streams.read("WordDocument")
        try:
            version, self._language, flags = struct.unpack_from("<2xH2xH2xH", self._data)
            if flags & ENCRYPTED:
                raise LOCKED
            self._is_97 = version >= WORD_97
            table = f"{int(bool(flags & SECOND_TABLE))}Table"
            self._table = streams.read(table) if self._is_97 else self._data
            self._pieces = list(self._read_pieces(simple=not self._is_97 and not flags & COMPLEX))
            self._text = "".join(map(self._decoded, self._pieces))
            self._marks = self._read_marks()
            lengths = struct.unpack_from("<8i", self._data, LENGTHS[self._is_97])
        except (struct.error, IndexError) as error:
            raise ParseError("damaged", f"the Word document is damaged ({error}); {AGAIN}") from error
        said = [0 if name == "macros" else max(0, length) for name, length in zip(PARTS, lengths, strict=True)]
        bounds = [0, *accumulate(said)]
        self.parts = dict(zip(PARTS, pairwise(bounds), strict=False))

    def part(self, name: str) -> str:
        """A character for each unit of the file; halves of surrogate pairs are joined by whoever uses the text."""
        start, end = self.parts.get(name, (0, 0))
        return self._text[start:end]

    def mark(self, position: int) -> Mark | None:
        """Of the paragraph whose last character is at `position` of the whole text. None: the file does not say."""
        number = bisect_right(self._pieces, position, key=lambda piece: piece.start) - 1
        if number < 0 or not self._marks:
            return None
        piece = self._pieces[number]
        place = piece.place + (position - piece.start) * piece.width
        found = bisect_right(self._marks, place, key=lambda run: run[0]) - 1
        return self._marks[found][1] if found >= 0 else None

    def _read_pieces(self, *, simple: bool) -> Iterator[Piece]:
        if simple:
            start, end = struct.unpack_from("<II", self._data, 0x18)
            yield Piece(0, max(0, end - start), start, 1)
            return
        offset, length = struct.unpack_from("<II", self._data, PIECES[self._is_97])
        at, end = offset, min(offset + length, len(self._table))
        while at < end and self._table[at] == 1:
            at += 3 + struct.unpack_from("<H", self._table, at + 1)[0]
        if at >= end or self._table[at] != 2:
            raise ParseError("damaged", f"the Word document does not say where its text is; {AGAIN}")
        (size,) = struct.unpack_from("<I", self._table, at + 1)
        count = (min(size, end - at - 5) - 4) // 12
        starts = struct.unpack_from(f"<{count + 1}I", self._table, at + 5)
        for number in range(count):
            (place,) = struct.unpack_from("<I", self._table, at + 5 + 4 * (count + 1) + 8 * number + 2)
            narrow = not self._is_97 or bool(place & EIGHT_BIT)
            place = (place & (EIGHT_BIT - 1)) // 2 if narrow and self._is_97 else place
            room = (len(self._data) - place) // (1 if narrow else 2)
            stop = min(starts[number + 1], starts[number] + max(0, room))
            if stop > starts[number]:
                yield Piece(starts[number], stop, place, 1 if narrow else 2)

    def _decoded(self, piece: Piece) -> str:
        data = self._data[piece.place : piece.place + (piece.end - piece.start) * piece.width]
        if piece.width == 2:
            return "".join(map(chr, array("H", data)))
        page = CODE_PAGES.get(self._language & 0x3FF, "cp1252") if not self._is_97 else "cp1252"
        text = data.decode(page, "replace")
        return text if len(text) == len(data) else text.ljust(len(data), "\0")[: len(data)]

    def _read_marks(self) -> list[tuple[int, Mark]]:
        """Where each run of paragraphs starts in the file, and what they say."""
        offset, length = struct.unpack_from("<II", self._data, PARAGRAPHS[self._is_97])
        width = 4 if self._is_97 else 2
        count = max(0, min(length, len(self._table) - offset) - 4) // (4 + width)
        numbers = struct.unpack_from(f"<{count}{'I' if width == 4 else 'H'}", self._table, offset + 4 * (count + 1))
        found: list[tuple[int, Mark]] = []
        for number in numbers:
            page = self._data[number * PAGE_BYTES : (number + 1) * PAGE_BYTES]
            if len(page) == PAGE_BYTES:
                found += self._page_marks(page)
        found.sort(key=lambda run: run[0])
        return found

    def _page_marks(self, page: bytes) -> Iterator[tuple[int, Mark]]:
        count = page[-1]
        step = 13 if self._is_97 else 7
        places = struct.unpack_from(f"<{count + 1}I", page)
        for number in range(count):
            at = 2 * page[4 * (count + 1) + step * number]
            if at == 0:
                yield places[number], Mark()
                continue
            size, start = 2 * page[at], at + 1
            if self._is_97 and size == 0:
                size, start = 2 * page[at + 1], at + 2
            elif self._is_97:
                size -= 1
            yield places[number], _mark(page[start : start + size], long=self._is_97)


def _mark(said: bytes, *, long: bool) -> Mark:
    """A style's number, then changes to it. Numbers 1 to 9 are the headings in every file."""
    if len(said) < 2:
        return Mark()
    (style,) = struct.unpack_from("<H", said)
    mark = Mark(level=style if 1 <= style <= 9 else 0)
    for number, operand in _changes(said[2:]) if long else _old_changes(said[2:]):
        value = operand[0] if operand else 0
        if number in {0x2416, 24}:
            mark.in_table = bool(value)
        elif number in {0x2417, 25}:
            mark.ends_row = bool(value)
        elif number == 0x460B:
            mark.listed = any(operand)
        elif number in {0x2407, 9}:
            mark.new_page = bool(value)
        elif number == 0x2640 and not mark.level:
            mark.level = value + 1 if value < 9 else 0
    return mark


def _changes(said: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 2 < len(said):
        (number,) = struct.unpack_from("<H", said, at)
        size, at = SIZES.get(number >> 13), at + 2
        if size is None:
            size, at = said[at], at + 1
            if number == 0xD608:
                size = max(0, size + (said[at] << 8 if at < len(said) else 0))
        yield number, said[at : at + size]
        at += size


def _old_changes(said: bytes) -> Iterator[tuple[int, bytes]]:
    """Numbers of one byte, whose sizes only a list tells: what is needed are single bytes, looked for in pairs."""
    for at in range(len(said) - 1):
        if said[at] in {9, 24, 25} and said[at + 1] == 1:
            yield said[at], said[at + 1 : at + 2]
