"""A text without all that a quotation may differ in: case, white space, hyphens, quotes, ligatures, accents.

Only letters and digits are left, without anything between them, and the point or comma inside of a number. Each
character knows where it came from.
"""

import re
from bisect import bisect_right
from typing import Final, NamedTuple

from app.crud.terms import MARKS, fold

_KEPT: Final = re.compile(rf"(?:[^\W_]|[{MARKS}])+|(?<=\d)[.,](?=\d)")


class Span(NamedTuple):
    start: int
    end: int


class Normalised:
    """`text` is the normalised text; `find` gives places in the original."""

    __slots__ = ("_from", "_original", "_to", "text")

    def __init__(self, original: str) -> None:
        pieces: list[str] = []
        self._original = original
        self._from: list[int] = []  # where each piece starts in the original
        self._to: list[int] = []  # and in the normalised text
        length = 0
        for found in _KEPT.finditer(original):
            word = found[0]
            folded = "." if word == "," else fold(word)
            parts = [(found.start(), folded)]
            if len(folded) != len(word):
                parts = [(found.start() + at, fold(char)) for at, char in enumerate(word)]
            for start, part in parts:
                if part:
                    self._from.append(start)
                    self._to.append(length)
                    pieces.append(part)
                    length += len(part)
        self.text = "".join(pieces)

    def find(self, wanted: "Normalised") -> Span | None:
        """Where the same words stand, not cut out of longer ones."""
        at = self.text.find(wanted.text) if wanted.text else -1
        while at >= 0:
            span = Span(self._place(at), self._place(at + len(wanted.text) - 1) + 1)
            if self._stands_alone(span):
                return span
            at = self.text.find(wanted.text, at + 1)
        return None

    def _place(self, index: int) -> int:
        piece = bisect_right(self._to, index) - 1
        last = self._to[piece + 1] if piece + 1 < len(self._to) else len(self.text)
        inside = index - self._to[piece]
        return self._from[piece] + (inside if last - self._to[piece] > 1 else 0)

    def _stands_alone(self, span: Span) -> bool:
        return not (joins(self._original, span.start) or joins(self._original, span.end))


def joins(text: str, at: int) -> bool:
    """Whether one word, or one number, goes on across a place. Scripts without spaces have no such places."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if after in ".," and before.isdigit():
        return at + 1 < len(text) and text[at + 1].isdigit()
    if before in ".," and after.isdigit():
        return at > 1 and text[at - 2].isdigit()
    return _is_spaced(before) and _is_spaced(after)


def _is_spaced(char: str) -> bool:
    return char.isalnum() and char < "\u0e00"
