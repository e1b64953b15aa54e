"""A passage as the model saw it, prepared for the questions of a check. Each part is made when it is first needed."""

import re
from collections import Counter
from collections.abc import Set
from functools import cached_property
from typing import Final

from app.core.passages import place, spoken
from app.crud.stemmer import stem
from app.crud.terms import fold
from app.rag.claims import languages, words
from app.rag.claims.figure_words import HAN_DIGITS, HAN_TENS, NUMBERS
from app.rag.claims.figures import Figure, Figures, figures, plain, same
from app.rag.claims.normalised import Normalised, Span
from app.rag.claims.opposite_words import is_denied
from app.rag.sentences import units
from app.schemas.chat import Source

FORM_SHARE: Final = 0.65  # of the longer word that two forms of one word have in common, from its beginning
_FORM_CHARS: Final = 4
_PART_CHARS: Final = 6  # of a word that may be part of a compound
_MAX_SCANNED: Final = 4000  # different words that are compared one by one
_THOUSANDS: Final = (
    r"in thousands|thousands of|\bin tsd|\bteur\b|t€|in tausend|en miles|en milliers|\$000|'000|k€|千円|千元"
)
_MILLIONS: Final = r"in millions|millions of|\bin mio|in millionen|en millones|en millions|in milioni|百万円|百万元"
_BILLIONS: Final = r"in billions|billions of|in mrd|in milliarden|en milliards"
_SCALES: Final = tuple(
    (scale, re.compile(said, re.IGNORECASE)) for scale, said in ((1e3, _THOUSANDS), (1e6, _MILLIONS), (1e9, _BILLIONS))
)
_CENTURIES: Final = frozenset(
    {"century", "jahrhundert", "siecle", "siglo", "secolo", "seculo", "eeuw", "wieku", "века"}
)
_HAN_NUMBER: Final = re.compile("[〇零一二两兩三四五六七八九十百千]+")
_COUNTED: Final = re.compile(r"([^\W\d_]+)(?=[ -]([^\W\d_]{3,}))")
_TIMES: Final = re.compile(r"-time (?=[^\W\d_]{3})")
_CELL: Final = re.compile(r"\s*[|\t]\s*")
_IN_TEXT: Final = re.compile(r"[^\W\d_]+")


def are_forms(word: str, other: str) -> bool:
    """Whether two folded words may be forms of one word."""
    if word == other:
        return True
    longer, shorter = (word, other) if len(word) >= len(other) else (other, word)
    need = max(_FORM_CHARS, -(-len(longer) * FORM_SHARE // 1))
    return len(shorter) >= need and longer[: int(need)] == shorter[: int(need)]


class Passage:
    """`body` is context and text; `head` what stands above it in the prompt: the file's name and the place."""

    def __init__(self, source: Source) -> None:
        self.source, self.n = source, source.n
        self.body = spoken(source.context, source.text)
        self.place = place(source.page_from, source.page_to, source.page_label)
        self.head = f"{source.file_name}, {self.place}"
        self._figures_of: dict[str, Figures] = {}

    def in_file(self, span: Span | None) -> Span | None:
        """A span of the body in the file's text. None where the passage's text is not cut out of it as it is."""
        begin = len(self.body) - len(self.source.text)
        if span is None or span.start < begin or len(self.source.text) != self.source.char_to - self.source.char_from:
            return None
        moved = self.source.char_from - begin
        return Span(span.start + moved, span.end + moved)

    @cached_property
    def normalised(self) -> Normalised:
        return Normalised(self.body)

    @cached_property
    def head_normalised(self) -> Normalised:
        return Normalised(self.head)

    @cached_property
    def words(self) -> list[str]:
        """Folded, in their order."""
        return words.folded(self.body)

    @cached_property
    def stems(self) -> set[str]:
        return words.stems(f"{self.head}\n{self.body}")

    @cached_property
    def language(self) -> Counter[str]:
        return languages.language(self.words)

    @property
    def is_german(self) -> bool:
        return self.language.most_common(1)[:1] == [("de", self.language["de"])] and self.language["de"] > 0

    @cached_property
    def script(self) -> str:
        return languages.script(self.body)

    @cached_property
    def capitals(self) -> set[str]:
        return words.capitals(self.body)

    @cached_property
    def figures(self) -> Figures:
        return figures(plain(self.body))

    @cached_property
    def numbers(self) -> tuple[Figure, ...]:
        """Those that are written as digits or as words, and the parts of dates."""
        extra = [NUMBERS[word] for word in self.words if word in NUMBERS]
        extra += [float(day.year) for day in self.figures.days if day.year is not None]
        extra += [float(d) for day in self.figures.days for _, d in day.places if d]
        if self.script == "CJK":
            extra += [_han(found) for found in _HAN_NUMBER.findall(self.body)]
        extra += [part for figure in self.figures.numbers for part in figure.parts]
        known = {Figure("", (value,), 9) for value in extra}
        return (*self.figures.numbers, *known)

    @cached_property
    def scales(self) -> frozenset[float]:
        """What the numbers of a table stand for."""
        return frozenset({1.0} | {scale for scale, said in _SCALES if said.search(self.body)})

    @cached_property
    def counted(self) -> dict[str, set[float]]:
        """What is counted, and the numbers said of it."""
        found: dict[str, set[float]] = {}
        for figure in self.figures.numbers:
            if figure.counts and not 1900 <= figure.values[0] < 2100:
                found.setdefault(stem(figure.counts), set()).update(figure.values)
        for number, thing in (*_COUNTED.findall(self.body), *_COUNTED.findall(_TIMES.sub(" ", self.body))):
            if (value := NUMBERS.get(fold(number))) is not None:
                found.setdefault(stem(fold(thing)), set()).add(value)
        return found

    @cached_property
    def places(self) -> list[tuple[Span, set[str]]]:
        """Where each sentence stands in the body, with its stems."""
        return [(Span(u.start, u.end), words.stems(self.body[u.start : u.end])) for u in units(self.body)]

    def nearest(self, *wanted: Set[str]) -> tuple[Span, set[str]]:
        """The sentence that has most of the first set of stems, among equals most of the next; where, and its stems."""
        found = self.places
        return max(found, key=lambda place: [len(one & place[1]) for one in wanted], default=(Span(0, 0), set()))

    def said_at(self, span: Span) -> str:
        return self.body[span.start : span.end]

    def figures_of(self, sentence: str) -> Figures:
        if sentence not in self._figures_of:
            self._figures_of[sentence] = figures(plain(sentence))
        return self._figures_of[sentence]

    @cached_property
    def has_denial(self) -> bool:
        return is_denied(self.body)

    @cached_property
    def rows(self) -> list[tuple[set[str], Figures]]:
        """The rows of a table that have figures: the stems of the first cell that no other row has, and the figures."""
        lines = [_CELL.split(line.strip(" |\t")) for line in self.body.splitlines()]
        told = [(words.stems(cells[0]), figures(plain(" | ".join(cells[1:])))) for cells in lines if len(cells) > 1]
        found = [(label, there) for label, there in told if there.numbers]
        often = Counter(one for label, _ in found for one in label)
        return [({one for one in label if often[one] == 1 and not one.isdigit()}, there) for label, there in found]

    @cached_property
    def _different(self) -> dict[str, list[str]]:
        """Different words by their first letters."""
        found: dict[str, list[str]] = {}
        for word in set(self.words) | set(words.folded(self.head)):
            found.setdefault(word[:_FORM_CHARS], []).append(word)
        return found

    @cached_property
    def initials(self) -> str:
        """The first letters of the words with a capital, to know a name by its short form."""
        return "".join(word[0] if word[0].isupper() else " " for word in _IN_TEXT.findall(self.body)).replace("  ", " ")

    @cached_property
    def letters(self) -> str:
        """The first letters of all words: `dbp` is in them where it stands for diastolic blood pressure."""
        return "".join(word[0] for word in self.words)

    def has(self, word: str) -> bool:
        """Whether a folded word is there, or another form of it, or it is part of a compound."""
        if stem(word) in self.stems:
            return True
        if any(are_forms(word, other) for other in self._different.get(word[:_FORM_CHARS], ())):
            return True
        if len(word) < _PART_CHARS:
            return False
        if word in self.normalised.text:
            return True
        scanned = self._different.values() if len(self.stems) <= _MAX_SCANNED else ()
        return any(len(other) >= _PART_CHARS and word.endswith(other) for some in scanned for other in some)

    def has_number(self, figure: Figure) -> bool:
        if any(same(figure, found, self.scales) for found in self.numbers):
            return True
        if figure.counts in _CENTURIES and any(_is_in_century(figure, found) for found in self.numbers):
            return True
        if figure.said.endswith("00s") and any(_is_century(found, figure) for found in self.numbers):
            return True
        parts = [Figure("", (part,), 9) for part in figure.parts]
        return bool(parts) and all(any(same(part, found, self.scales) for found in self.numbers) for part in parts)


def _is_in_century(figure: Figure, found: Figure) -> bool:
    return 100 * (figure.values[0] - 1) <= found.values[0] <= 100 * figure.values[0]


def _is_century(found: Figure, figure: Figure) -> bool:
    """The 18th century, where the 1700s are claimed."""
    return found.counts in _CENTURIES and 100 * (found.values[0] - 1) == figure.values[0]


def _han(digits: str) -> float:
    """`三百二十` -> 320, `二〇二二` -> 2022"""
    if not any(digit in HAN_TENS for digit in digits):
        return float("".join(str(HAN_DIGITS[digit]) for digit in digits))
    total, digit = 0, 1
    for char in digits:
        if char in HAN_TENS:
            total += digit * HAN_TENS[char]
            digit = 0
        else:
            digit = HAN_DIGITS[char]
    return float(total + (digit if digits[-1] not in HAN_TENS else 0))
