"""The key figures of a text: numbers with their magnitude and unit, dates, times and codes, in many ways of writing.

`1,234.5`, `1.234,5`, `1 234,5` and `1'234.5` are one number; `1.234` alone may be two, so a figure has all
its readings.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.crud.terms import fold
from app.rag.claims.days import DATES, Day
from app.rag.claims.figure_words import HEDGES, MAGNITUDES, UNITS

Unit = tuple[str, float]
CLOCK: Final = "clock"
HALF_DAY: Final = 720
TOLERANCE: Final = 1e-9
ROUNDED_DIGITS: Final = 2  # a rounded figure has at least so many digits, unless a word such as "about" is before it
_SPACES: Final = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f"), "\u202f")
_SIGNS: Final = {ord("٫"): ".", ord("٬"): ",", ord("’"): "'", ord("⁄"): "/", ord("−"): "-"}
_RAISED: Final = re.compile("(?<=[0-9])[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_TIME: Final = re.compile(
    r"(?<![\d.,:])(\d{1,2})(?:(?::|\s?h\s?)(\d{2})(?::\d{2})?(?!\d)|[.](\d{2})(?=\s?(?:uhr|h\b))|(?=\s?(?:uhr\b|[ap]\.?m\b)))"
    r"\s?(?:([ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
_LETTER: Final = "A-Za-z\u00c0-\u04ff"
_CODE: Final = re.compile(
    rf"(?<![{_LETTER}\d])(?:[{_LETTER}]{{1,6}}\d|\d+[{_LETTER}]+\d)[{_LETTER}\d]*|\d+(?:\.\d+){{2,}}"
)
_NUMBER: Final = re.compile(
    rf"(?<![{_LETTER}\d])(?:\d{{1,3}}(?:[ '\u202f]\d{{3}})+(?:[.,]\d{{1,2}})?(?!\d)|\d(?:[\d.,]*\d)?)"
)
_MONEY: Final = re.compile(r"\b(USD|EUR|GBP|CHF|JPY|CNY|INR|PLN|US\$|Rs)(?=\d)")
_BEFORE: Final = re.compile(r"([€$£¥₹₽₺]|\b[^\W\d_]{2,4}\$?)\s?$")
_AFTER: Final = re.compile(r"(?:\.(?=\s?[€$£¥]))?[\s\u202f]?-?([%‰]|°\s?[cCfF]|[€$£¥₹₽₺]|[^\W\d_]+(?:/h|[23](?!\w))?)")
_SKIPPED: Final = frozenset({"de", "di", "d", "us", "u", "of"})
_SHORT: Final = frozenset(["an", "s", "h", "a", "m", "t", "l", "v", "w", "g", "mi", "pp", "ha", "min", "mes"])
_LETTERS: Final = {"m": (1.0, 1e6), "k": (1e3,), "b": (1e9,), "mil": (1e3, 1e6), "mill": (1e6,)}
_HAN: Final = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3]")
_ORDINAL: Final = frozenset(
    {"st", "nd", "rd", "th", "er", "e", "eme", "º", "ª", "o", "a", "s", "x", "te", "ten", "ter"}
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number. `values` are its readings, `digits` how exact it is; `parts` when it may be several numbers."""

    said: str
    values: tuple[float, ...]
    digits: int
    unit: Unit | None = None
    hedged: bool = False
    parts: tuple[float, ...] = ()
    counts: str = ""  # the word after it
    is_exact: bool = False  # a whole number without a word such as million: not rounded unless that is said

    @property
    def is_small(self) -> bool:
        """A bare number up to ten."""
        return self.unit is None and self.digits == 1 and self.values[0] <= 10


@dataclass(frozen=True, slots=True)
class Figures:
    """All of one text."""

    numbers: tuple[Figure, ...]
    days: tuple[Day, ...]
    codes: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.numbers or self.days or self.codes)


def plain(text: str) -> str:
    """Full-width and other digits as 0-9, spaces and signs in one form, powers as `10^6`."""
    if text.isascii():
        return text
    text = _RAISED.sub(_power, text).translate(_SPACES)
    text = "".join(_digit(c) if c.isdigit() and not c.isascii() else c for c in text)
    return unicodedata.normalize("NFKC", text.replace("\u202f", "\ue000")).replace("\ue000", "\u202f").translate(_SIGNS)


def figures(text: str) -> Figures:
    """Of a text that went through `plain`. Linear."""
    taken = list(_MONEY.sub(r"\1 ", text))
    days = []
    for pattern in DATES:
        for found in pattern.regex.finditer("".join(taken)):
            if (day := pattern.read(found)) is not None:
                days.append(day)
                _blank(taken, found)
    numbers = []
    for found in _TIME.finditer("".join(taken)):
        if (time := _time(found)) is not None:
            numbers.append(time)
            _blank(taken, found)
    codes = []
    for found in _CODE.finditer("".join(taken)):
        if fold(found[0]) not in UNITS:
            codes.append(fold(found[0]))
            _blank(taken, found)
    numbers += _numbers("".join(taken))
    return Figures(tuple(numbers), tuple(days), tuple(codes))


def same(claimed: Figure, found: Figure, scales: frozenset[float]) -> bool:
    """Whether `found`, in a passage whose tables count in `scales`, is what was claimed, or was rounded to it."""
    factor = 1.0
    if claimed.unit is not None and found.unit is not None:
        if claimed.unit[0] != found.unit[0]:
            return False
        factor = found.unit[1] / claimed.unit[1]
    for value in claimed.values:
        for other in found.values:
            for scale in scales:
                have = other * factor * scale
                if abs(value - have) <= TOLERANCE * max(1.0, abs(value)) or _is_rounded(claimed, value, have, found):
                    return True
    return False


def _is_rounded(claimed: Figure, value: float, have: float, found: Figure) -> bool:
    if found.digits <= claimed.digits or not value or not have:
        return False
    if claimed.is_exact and not claimed.hedged and (have == int(have) or value % 10 == 0 or value != int(value)):
        return False
    if claimed.digits < ROUNDED_DIGITS and not claimed.hedged:
        return False
    magnitude = 10.0 ** (len(str(int(abs(value)))) if abs(value) >= 1 else 0)
    step = _step(claimed, value, magnitude)
    if claimed.hedged and step * (1 - TOLERANCE) > abs(have - value):
        return True
    return abs(have - value) <= step / 2 * (1 + 1e-6)


def _step(claimed: Figure, value: float, magnitude: float) -> float:
    """The unit of the last digit that counts."""
    first = magnitude / 10 if value >= 1 else 10.0 ** -len(re.sub(r"\D", "", claimed.said))
    return float(first / 10 ** (claimed.digits - 1)) if value >= 1 else float(first * 10)


def _power(found: re.Match[str]) -> str:
    return "^" + "".join(str(unicodedata.digit(c)) for c in found[0])


def _digit(char: str) -> str:
    return char if unicodedata.category(char) == "No" else str(unicodedata.digit(char))


def _blank(taken: list[str], found: re.Match[str]) -> None:
    taken[found.start() : found.end()] = " " * (found.end() - found.start())


def _time(found: re.Match[str]) -> Figure | None:
    hours, minutes = int(found[1]), int(found[2] or found[3] or 0)
    if hours > 24 or minutes > 59:
        return None
    at = hours * 60 + minutes
    if found[4] and hours == 12:
        at -= HALF_DAY
    half = (found[4] or "").lower()
    readings = {"p": (at + HALF_DAY,), "a": (at,)}.get(half, (at, at + HALF_DAY) if 0 < hours < 12 else (at,))
    hour = (float(found[1]),) if minutes == 0 else ()
    return Figure(found[0].strip(), tuple(float(r) for r in readings), 9, (CLOCK, 1), parts=hour)


def _numbers(text: str) -> Iterator[Figure]:
    before: Figure | None = None
    end = -1
    for found in _NUMBER.finditer(text):
        figure, stop = _number(text, found)
        if before is not None and found.start() == end and _adds(before, figure):
            figure = Figure(before.said + figure.said, (before.values[0] + figure.values[0],), 9, figure.unit)
        elif before is not None:
            yield before
        before, end = figure, stop
    if before is not None:
        yield before


def _adds(before: Figure, figure: Figure) -> bool:
    """`1億2000万` is one number."""
    return (
        before.unit is None
        and before.values[0] >= 1e4
        and before.said[-1:].isalpha()
        and bool(_HAN.match(before.said[-1]) and figure.values[0] < before.values[0])
    )


def _number(text: str, found: re.Match[str]) -> tuple[Figure, int]:
    values, digits, parts = readings(found[0])
    unit = _unit_before(text, found.start())
    stop = found.end()
    scales: tuple[float, ...] = (1.0,)
    is_year = len(found[0]) == 4 and found[0].isdigit() and 1900 <= values[0] < 2100
    for _ in range(3):
        after = _AFTER.match(text, stop)
        if after is None:
            break
        word, length = _word(after)
        glued = after.start(1) == stop
        million = glued or after[1][0] == "M" or text[after.end() : after.end() + 1] in {"€", "$", "£"}
        if scales == (1.0,) and (scale := _scale(word, glued=million, money=unit is not None)) is not None:
            scales = scale
        elif (its := _unit(word)) and unit is None and not (is_year and word in _SHORT) and not (word == "m" and glued):
            unit = its
        elif not (word in _SKIPPED and scales != (1.0,)) and not (glued and word in _ORDINAL):
            break
        stop = after.start(1) + length
    values = tuple(value * scale for value in values for scale in scales)
    said = text[found.start() : stop].strip()
    hedged = any(
        fold(word) in HEDGES for word in re.findall(r"[^\W\d_]+", text[max(0, found.start() - 24) : found.start()])
    )
    is_exact = scales == (1.0,) and values[0] == int(values[0])
    return Figure(said, values, digits, unit, hedged, parts, _counted(text, stop), is_exact), stop


def _scale(word: str, *, glued: bool, money: bool) -> tuple[float, ...] | None:
    if word in _LETTERS:
        if word == "m" and not glued and not money:
            return None
        return (1e6,) if word == "m" and money else _LETTERS[word]
    if word == "mm" and money:
        return (1e6,)
    scale = MAGNITUDES.get(word)
    return None if scale is None else (scale,)


def _unit(word: str) -> Unit | None:
    return UNITS.get(word) or (UNITS.get(word[:-1]) if len(word) > 3 and word[-1] == "s" else None)


def _word(after: re.Match[str]) -> tuple[str, int]:
    """The word after a number: where no spaces are written, the longest beginning that is known."""
    word = fold(after[1].replace(" ", ""))
    if _HAN.match(after[1]):
        for length in range(min(6, len(after[1])), 0, -1):
            if (start := fold(after[1][:length])) in UNITS or start in MAGNITUDES:
                return start, length
    return word, len(after[1])


def _unit_before(text: str, start: int) -> Unit | None:
    before = _BEFORE.search(text, max(0, start - 6), start)
    if before is None:
        return None
    unit = UNITS.get(fold(before[1]))
    return unit if unit is not None and (len(before[1]) == 1 or before[1].isupper()) and unit[0] != "time" else None


def _counted(text: str, stop: int) -> str:
    after = re.compile(r"[\s-]{1,2}([^\W\d_]{3,})").match(text, stop)
    return fold(after[1]) if after else ""


def readings(digits: str) -> tuple[tuple[float, ...], int, tuple[float, ...]]:
    """The values that a number may have, its significant digits, and the numbers that it may be a list of."""
    spaced = re.split("[ '\u202f]", digits)
    parts = tuple(float(part) for part in spaced if part.isdigit()) if " " in digits else ()
    joined = "".join(spaced)
    significant = re.sub(r"\D", "", joined).lstrip("0")
    marks = re.findall("[.,]", joined)
    groups = re.split("[.,]", joined)
    whole, fraction = "".join(groups[:-1]), groups[-1]
    if not marks:
        return (float(joined),), len(significant.rstrip("0")) or 1, parts
    if len(set(marks)) == 2:
        return (float(f"{whole}.{fraction}"),), len(significant), parts
    if (
        all(len(group) in {2, 3} for group in groups[1:])
        and len(fraction) == 3
        and (len(marks) > 1 or groups[0] != "0")
    ):
        large = float(whole + fraction)
        if fraction == "000" or len(significant) > len(significant.rstrip("0")) + 1:
            significant = significant.rstrip("0")
        if len(marks) > 1 or len(groups[0]) > 3:
            return (large,), len(significant.rstrip("0")) or 1, parts
        return (large, float(f"{whole}.{fraction}")), len(significant), parts
    if len(marks) == 1:
        listed = tuple(map(float, groups)) if len(groups[0]) == len(fraction) == 4 else parts
        return (float(f"{whole}.{fraction}"),), len(significant), listed
    return (float(whole + fraction),), len(significant), tuple(map(float, groups))
