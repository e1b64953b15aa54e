"""Figures that a passage has, but says of something else than a claim does.

Only the plain cases: a sentence of the passage has COVERED of the claim's words, and another figure of the same kind in
its place; or a sentence lists several things with a figure each, and the claim gives one thing the figure of another.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final

from app.crud.stemmer import stem
from app.rag.claims import words
from app.rag.claims.claim import Claim
from app.rag.claims.figures import Figure, Figures, figures, plain, same
from app.rag.claims.passage import Passage

COVERED: Final = 0.7
MIN_WORDS: Final = 3
ONE: Final = frozenset({1.0})
_LISTED: Final = re.compile(r"[;(、，]|,(?!\d)|\band\b|\bund\b|\bet\b|\by\b|\be\b|\bwhile\b|\bwhereas\b|\bwährend\b")


def misplaced(claim: Claim, passage: Passage) -> str | None:
    """What is said of something else there."""
    if not claim.figures.numbers and not claim.figures.days:
        return None
    span, stems = passage.nearest(claim.stems)
    sentence = passage.said_at(span)
    there = passage.figures_of(sentence)
    if len(passage.places) > 1 and _covers(claim, stems):
        for said, kind, is_there in _claimed(claim, there, passage.scales):
            if not is_there and any(other == kind for other in _unclaimed(claim.figures, there, passage.scales)):
                return said
    kinds = Counter(figure.unit[0] for figure in there.numbers if figure.unit is not None)
    compared = any(figure.unit is not None and kinds[figure.unit[0]] > 1 for figure in claim.figures.numbers)
    return _exchanged(claim, sentence) if compared else None


def _covers(claim: Claim, stems: set[str]) -> bool:
    if claim.figures.codes and stems.issuperset(claim.figures.codes):
        return True
    said = [word for word in claim.words if word.name == 0 or word.stem in stems]
    if len(said) < MIN_WORDS:
        return False
    forms = [word for word in said if word.stem in stems or any(word.stem[:5] == other[:5] for other in stems)]
    return sum(word.weight for word in forms) >= COVERED * sum(word.weight for word in said)


def _kind(figure: Figure) -> str:
    """What it counts. Empty: that cannot be said."""
    if figure.unit is not None:
        return figure.unit[0]
    if figure.is_exact and 1900 <= figure.values[0] < 2100:
        return "year"
    return f"count {stem(figure.counts)}" if figure.counts else ""


def _claimed(claim: Claim, there: Figures, scales: frozenset[float]) -> Iterator[tuple[str, str, bool]]:
    years = {float(day.year) for day in there.days if day.year is not None}
    for figure in claim.figures.numbers:
        found = any(same(figure, other, scales) for other in there.numbers)
        if kind := _kind(figure):
            yield figure.said, kind, found or (kind == "year" and figure.values[0] in years)
    for day in claim.figures.days:
        yield day.said, "day", any(day.is_told_by(other) for other in there.days)


def _unclaimed(said: Figures, there: Figures, scales: frozenset[float]) -> Iterator[str]:
    """The kinds of figures that the sentence has and the claim has not."""
    for figure in there.numbers:
        if not any(same(one, figure, scales) for one in said.numbers):
            yield _kind(figure)
    for day in there.days:
        if not any(one.is_told_by(day) for one in said.days):
            yield "day"


def _exchanged(claim: Claim, sentence: str) -> str | None:
    """`nausea (12.4 %)` where the sentence lists `headache (12.4 %)` and `nausea (8.1 %)`."""
    listed = _list(sentence)
    for figure, said in _list(claim.text):
        own = [stems for other, stems in listed if same(figure, other, ONE) and stems]
        if len(own) != 1 or own[0] & said:
            continue
        others = [stems for other, stems in listed if _kind(other) == _kind(figure) and stems is not own[0]]
        if any(stems & said for stems in others):
            return figure.said
    return None


def _list(text: str) -> Sequence[tuple[Figure, set[str]]]:
    """The things of a list that have one figure each. A figure in brackets belongs to what is before them."""
    found: list[tuple[Figure, set[str]]] = []
    before: set[str] = set()
    for part in _LISTED.split(plain(text)):
        numbers = [number for number in figures(part).numbers if number.unit is not None]
        stems = {word.stem for word in words.content(part)}
        kinds = Counter(_kind(number) for number in numbers)
        if stems or before:
            found += [(number, stems or before) for number in numbers if kinds[_kind(number)] == 1]
        before = stems if not numbers else set()
    counted = Counter(chain.from_iterable(stems for _, stems in found))
    return [(figure, {one for one in stems if counted[one] == 1}) for figure, stems in found]
