"""Dates in a text, in many ways of writing. Where day and month cannot be told apart a date has both readings."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.crud.terms import fold
from app.rag.claims.figure_words import MONTHS

_WORDS_TOO: Final = frozenset({"set", "out", "may", "mar", "mars", "march", "ago", "lug", "mag", "gen", "maj", "mei"})
_CENTURY: Final = 2000


@dataclass(frozen=True, slots=True)
class Day:
    """A date. `places` are its readings as (month, day); the day is 0 where only a month was named."""

    said: str
    year: int | None
    places: frozenset[tuple[int, int]]

    def is_told_by(self, other: "Day") -> bool:
        """Whether `other` says what this one does; it may be more exact."""
        if self.year is not None and other.year is not None and self.year != other.year:
            return False
        return any(m == month and d in {0, day} for m, d in self.places for month, day in other.places)


@dataclass(frozen=True, slots=True)
class Pattern:
    regex: re.Pattern[str]
    read: Callable[[re.Match[str]], Day | None]


def _named(found: re.Match[str]) -> Day | None:
    """Day, month's name, perhaps a year; in any order, by the groups' names."""
    groups = found.groupdict()
    word = groups["month"]
    month = MONTHS.get(fold(word))
    year = groups.get("year")
    if month is None or (year is None and fold(word) in _WORDS_TOO and not word[0].isupper()):
        return None
    return _day(found[0], year, (month, int(groups.get("day") or 0)))


def _numbered(found: re.Match[str]) -> Day | None:
    """Year, month and day as numbers."""
    groups = found.groupdict()
    return _day(found[0], groups.get("year"), (int(groups["month"]), int(groups.get("day") or 0)))


def _either(found: re.Match[str]) -> Day | None:
    """`3.5.2022`: the third of May, or the fifth of March."""
    first, second = int(found["first"]), int(found["second"])
    return _day(found[0], found["year"], (second, first), (first, second))


def _day(said: str, year: str | None, *places: tuple[int, int]) -> Day | None:
    good = frozenset((month, day) for month, day in places if 1 <= month <= 12 and day <= 31)
    if not good:
        return None
    number = None if year is None else int(year)
    return Day(said.strip(), number + _CENTURY if number is not None and number < 100 else number, good)


_MONTH: Final = r"(?P<month>[^\W\d_]{3,12})\.?"
_YEAR: Final = r"(?P<year>\d{4})(?!\d)"
_ALONE: Final = r"(?<![^\W_])"
_DAY: Final = r"(?<![\d.,])(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|\.)?"
_AFTER_MONTH: Final = r"\s(?P<day>\d{1,2})(?:st|nd|rd|th)?"
DATES: Final = tuple(
    Pattern(re.compile(regex), read)
    for regex, read in (
        (r"(?<!\d)(?P<year>\d{4})\s?[年년]\s?(?P<month>\d{1,2})\s?[月월](?:\s?(?P<day>\d{1,2})\s?[日일])?", _numbered),
        (r"(?<!\d)(?P<month>\d{1,2})\s?[月월]\s?(?P<day>\d{1,2})\s?[日일]", _numbered),
        (r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d.])", _numbered),
        (r"(?<![\d.])(?P<first>\d\d?)([./-])\s?(?P<second>\d\d?)\2\s?(?P<year>\d{4}|\d\d)(?![\d.]\d)", _either),
        (r"(?<![\d/])(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)\d{2})(?![\d/])", _numbered),
        (rf"{_DAY}[\s-]?(?:de\s|of\s|d')?{_MONTH}[,\s-]{{1,2}}(?:de\s|del\s)?{_YEAR}", _named),
        (rf"{_ALONE}{_MONTH}{_AFTER_MONTH},?\s{_YEAR}", _named),
        (rf"{_ALONE}{_MONTH},?\s(?:de\s|del\s)?{_YEAR}", _named),
        (rf"{_DAY}\s(?:de\s|of\s)?{_MONTH}(?![^\W_])", _named),
        (rf"{_ALONE}{_MONTH}{_AFTER_MONTH}(?![\d]|[.,:]\d|\s?%)", _named),
    )
)
