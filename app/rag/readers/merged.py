"""Merged cells of a sheet: what the first one shows holds for all that it covers."""

import re
from dataclasses import dataclass, field

from app.rag.readers.sheet_pages import Row, Value
from app.rag.readers.tables import REPEATED_CHARS

RANGE = re.compile(rb"<(?:\w+:)?mergeCell\b[^>]*?\bref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']")
MAX_RANGES = 20_000
MAX_OPEN = 200  # at once
MAX_COLUMNS = 100  # that one text is repeated over


def column_number(letters: str) -> int:
    """A is 0, AA is 26."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


@dataclass(frozen=True, slots=True)
class Area:
    """Rows count from 1, columns from 0; both ends belong to it."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(slots=True)
class Merged:
    """Fills rows, which must come in order."""

    starting: dict[int, list[Area]] = field(default_factory=dict)
    _open: list[tuple[Area, Value]] = field(default_factory=list)

    @classmethod
    def of(cls, areas: list[Area]) -> "Merged":
        starting: dict[int, list[Area]] = {}
        for area in areas[:MAX_RANGES]:
            starting.setdefault(area.top, []).append(area)
        return cls(starting)

    @classmethod
    def in_sheet(cls, xml: bytes) -> "Merged":
        """The ranges that a worksheet names after its rows."""
        found = [match.groups() for match in RANGE.finditer(xml, max(0, xml.find(b"mergeCells")))]
        corners = [(left.decode(), int(top), right.decode(), int(bottom)) for left, top, right, bottom in found]
        return cls.of([Area(top, end, column_number(left), column_number(right)) for left, top, right, end in corners])

    def fill(self, number: int, row: Row) -> Row:
        """A text over the whole width stays alone: it is a title."""
        self._open = [(area, value) for area, value in self._open if area.bottom >= number]
        areas = [(area, row[area.left]) for area in self.starting.get(number, ()) if area.left in row]
        filled = dict(row)
        for area, value in self._open:
            filled.setdefault(area.left, value)
        for area, value in areas:
            if len(value.text) <= REPEATED_CHARS:
                if len(row) > 1:
                    for column in range(area.left + 1, min(area.right, area.left + MAX_COLUMNS) + 1):
                        filled.setdefault(column, value)
                if area.bottom > number and len(self._open) < MAX_OPEN:
                    self._open.append((area, value))
        return filled if row else row
