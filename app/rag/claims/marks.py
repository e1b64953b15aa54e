"""Marks such as `[1]`, `[1, 2]`, `[1-3]` and `【1】`, and the pieces of a sentence that they stand behind."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

CLOSERS: Final = ("]", "】", "］")
MAX_RANGE: Final = 20  # `[1-300]` is no list of passages
_OPEN, _CLOSE = r"[\[【［]", r"[\]】］]"
_NUMBERS: Final = r"\d{1,3}(?:[ \t]*(?:[,;、，–—-]|and\b|und\b|&)[ \t]*\d{1,3})*"
MARK: Final = re.compile(rf"(?<!\\){_OPEN}[ \t]*({_NUMBERS})[ \t]*(?:†[^\]】］\n]{{0,60}})?{_CLOSE}(?!\]?\()")
MARKS: Final = re.compile(rf"(?:[ \t]*{MARK.pattern})+")
UNFINISHED: Final = re.compile(rf"(?:[ \t]*{MARK.pattern})*[ \t]*(?:{_OPEN}[^\]】］\n]{{0,80}}|{MARK.pattern}\]?)?\Z")
_DEFINITION: Final = re.compile(rf"[ \t]*{_OPEN}\^?\d{{1,3}}{_CLOSE}:")
_CODE: Final = re.compile(r"(?<!`)(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_BETWEEN: Final = re.compile(
    r"[\s,;/&+]*(?:and|und|et|y|e|og|och|i|or|oder|sowie|und auch|и|と|和)?[\s,;]*\Z", re.IGNORECASE
)
_RANGE: Final = re.compile(r"(\d+)\s*[–—-]\s*(\d+)")


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; places are code points in the answer."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Marks that stand side by side, and the text between the marks before and these."""

    marks: tuple[Mark, ...]
    before: str

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for mark in self.marks for number in mark.numbers))


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table cell with marks. `tail` follows the last one; `quoted` is a block quotation."""

    start: int
    end: int
    groups: tuple[Group, ...]
    tail: str = ""
    quoted: str = ""


def grouped(text: str, offset: int, *, at_line_start: bool = False) -> tuple[tuple[Group, ...], str]:
    """The groups of marks in a piece of an answer that begins at `offset`, and what follows the last of them."""
    groups: list[Group] = []
    marks: list[Mark] = []
    begin = end = 0
    for found in _marks(text, at_line_start=at_line_start):
        if marks and not _BETWEEN.match(text[end : found.start()]):
            groups.append(Group(tuple(marks), text[begin : marks[0].start - offset]))
            marks, begin = [], end
        end = found.end()
        marks.append(Mark(offset + found.start(), offset + end, numbers(found[1])))
    if marks:
        groups.append(Group(tuple(marks), text[begin : marks[0].start - offset]))
    return tuple(groups), text[end:]


def numbers(inside: str) -> tuple[int, ...]:
    """`1, 3-5` -> 1, 3, 4, 5"""
    found: list[int] = []
    for part in re.split(r"[,;、，&]|and|und", inside):
        span = _RANGE.fullmatch(part.strip())
        if span is None:
            found.append(int(part))
            continue
        first, last = int(span[1]), int(span[2])
        found += range(first, last + 1) if first < last < first + MAX_RANGE else (first, last)
    return tuple(dict.fromkeys(found))


def without(text: str) -> str:
    """The text without its marks."""
    return MARKS.sub(" ", text)


def code_spans(text: str) -> Sequence[tuple[int, int]]:
    return [found.span() for found in _CODE.finditer(text)] if "`" in text else ()


def _marks(text: str, *, at_line_start: bool) -> Iterator[re.Match[str]]:
    """Those that are no code, no link and no definition of a footnote."""
    defined = _DEFINITION.match(text) if at_line_start else None
    coded = code_spans(text)
    for found in MARK.finditer(text, defined.end() if defined else 0):
        if not any(start <= found.start() < end for start, end in coded):
            yield found
