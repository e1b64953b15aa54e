"""Whether a passage says what a claim says it does.

What must hold, in this order: quoted words are there, exactly, or normalised, or at least QUOTE_SHARE of them one after
another; every figure is there; no name stands where the passage has another; the place does not plainly say the
contrary (see `opposites`); enough of the words are there, weighted by length and with names counting NAME_FACTOR: WORDS
of them, or WORDS_WITH_FIGURES where figures were found; and no other passage that was sent has ELSEWHERE more of them.
What was calculated is not looked at.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from app.core.enums import Match
from app.crud.stemmer import stem
from app.rag.claims import names
from app.rag.claims.bindings import misplaced
from app.rag.claims.claim import MIN_WORDS, Claim
from app.rag.claims.figure_words import NUMBERS
from app.rag.claims.figures import Figure, Figures, same
from app.rag.claims.normalised import Span
from app.rag.claims.opposites import exchanged, of_another, opposed
from app.rag.claims.passage import Passage
from app.rag.claims.quotations import SHORT_WORDS, locate, verbatim
from app.rag.claims.words import folded

WORDS: Final = 0.3
WORDS_WITH_FIGURES: Final = 0.1
ELSEWHERE: Final = 0.35
ELSEWHERE_FROM: Final = 0.6  # of the words, in the other passage
SHARED: Final = 0.15  # of a claim's words that a passage must add where several are cited together
PLACED: Final = 0.5  # of a claim's words and figures, and so many, in a sentence that is shown as its place
PLACED_WORDS: Final = 2
FIGURE_WEIGHT: Final = 2.0
_SHOWN_CHARS: Final = 60
_ORDINAL: Final = re.compile(
    r"(?:cond|ird|th|ice|t[te][enrs]{1,2}|fte[nrs]?|ste[nrs]?|eme|undo|unda|cer|cero|rto|nto|[ei]de)$"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`span` is where the words stand in the passage's body, or most of them."""

    supported: bool
    match: Match | None
    score: float
    reason: str | None = None
    span: Span | None = None


NOTHING: Final = Verdict(True, None, 0.0, "not compared: the sentence says too little")
FOREIGN: Final = Verdict(True, None, 0.0, "not compared: sentence and passage are in different languages")


def judge(claim: Claim, passage: Passage, sent: Mapping[int, Passage]) -> Verdict:
    """For a passage that is cited alone."""
    if (whole := verbatim(claim.text, passage)) and len(folded(claim.text)) >= SHORT_WORDS and not claim.quoted:
        return Verdict(True, whole[0], 1.0, None, whole[1])
    foreign = claim.is_foreign(passage)
    against, quoted = _quoted(claim, passage, foreign=foreign)
    lacks = against or _figures(claim, [passage], sent)
    if lacks is None and not foreign and (name := names.missing(claim, passage, list(sent.values()))):
        lacks = f"the name {_short(name)} is not in passage {passage.n}"
    if lacks is None and not foreign and quoted is None and (figure := misplaced(claim, passage)):
        lacks = f"passage {passage.n} says {_short(figure)} of something else"
    if lacks is None and not foreign and quoted is None:
        lacks = _contrary(claim, passage)
    share = _share(claim, [passage])
    if lacks is not None:
        return Verdict(False, None, round(share, 3), lacks)
    if quoted is not None:
        return quoted
    if foreign:
        known = claim.figures.numbers or claim.figures.days or claim.figures.codes
        return Verdict(True, Match.OVERLAP, round(share, 3)) if known else FOREIGN
    verdict = _by_words(claim, passage, sent, share)
    return replace(verdict, span=_place(claim, passage)) if verdict.supported else verdict


def _contrary(claim: Claim, passage: Passage) -> str | None:
    if (said := exchanged(claim, passage)) is not None:
        return f"passage {passage.n} says {_short(said)} of something else"
    if (name := of_another(claim, passage)) is not None:
        return f"passage {passage.n} says this of others than {_short(name)}"
    word = opposed(claim, passage)
    return None if word is None else f"passage {passage.n} says the contrary of {_short(word)}"


def judge_together(claim: Claim, cited: Sequence[Passage], sent: Mapping[int, Passage]) -> list[Verdict]:
    """For passages that are cited side by side: each alone, or together if each adds something."""
    alone = [judge(claim, passage, sent) for passage in cited]
    if len(cited) < 2 or all(verdict.supported for verdict in alone):
        return alone
    if _figures(claim, cited, sent) is not None or any(_is_misquoted(claim, cited)):
        return alone
    need = WORDS_WITH_FIGURES if claim.figures else WORDS
    together = _share(claim, cited)
    if together < need:
        return alone
    verdicts = []
    for passage, verdict in zip(cited, alone, strict=True):
        rest = [other for other in cited if other is not passage]
        its = _share(claim, [passage])
        good = its >= WORDS or together - _share(claim, rest) >= SHARED or _adds(claim, passage, rest)
        verdicts.append(verdict if verdict.supported or not good else Verdict(True, Match.OVERLAP, round(together, 3)))
    return verdicts


def _adds(claim: Claim, passage: Passage, rest: Sequence[Passage]) -> bool:
    """Whether the other passages lack a figure or a name that this one has."""
    said = claim.figures
    names = [word.folded for word in claim.words if word.name]
    if any(passage.has(name) and not any(p.has(name) for p in rest) for name in names):
        return True
    numbers = any(passage.has_number(f) and not any(p.has_number(f) for p in rest) for f in said.numbers)
    return numbers or any(
        _has_day(said, at, passage) and not any(_has_day(said, at, p) for p in rest) for at in range(len(said.days))
    )


def _is_misquoted(claim: Claim, cited: Sequence[Passage]) -> list[bool]:
    return [all(locate(quote, passage) is None for passage in cited) for quote in claim.quotes]


def _quoted(claim: Claim, passage: Passage, *, foreign: bool) -> tuple[str | None, Verdict | None]:
    """What speaks against the quotations, and the verdict that they give if nothing else does."""
    found = [(quote, locate(quote, passage)) for quote in claim.quotes]
    for quote, place in found:
        if place is None and not foreign:
            return f"the quoted words {_short(quote)} are not in passage {passage.n}", None
    long = [place for quote, place in found if place is not None and (place[1] or len(folded(quote)) >= SHORT_WORDS)]
    if not long:
        return None, None
    match = max((place[0] for place in long), key=list(Match).index)
    return None, Verdict(True, match, min(place[2] for place in long), None, next((p[1] for p in long if p[1]), None))


def _figures(claim: Claim, passages: Sequence[Passage], sent: Mapping[int, Passage]) -> str | None:
    """A figure that is in none of the passages."""
    for figure in claim.figures.numbers:
        if not any(passage.has_number(figure) for passage in passages):
            return _absent(figure.said, passages, [p for p in sent.values() if p.has_number(figure)])
    for day in claim.figures.days:
        if not any(
            _has_day(claim.figures, index, passage) for passage in passages for index in [claim.figures.days.index(day)]
        ):
            return _absent(day.said, passages, [])
    for code in claim.figures.codes:
        if not any(_has_code(code, passage) for passage in passages):
            return _absent(code.upper(), passages, [p for p in sent.values() if code in p.figures.codes])
    for figure in claim.tail.numbers:
        if not any(passage.has_number(figure) for passage in sent.values()):
            return _absent(figure.said, passages, [])
    return _miscounted(claim, passages)


def _has_day(said: Figures, index: int, passage: Passage) -> bool:
    day = said.days[index]
    if any(
        day.is_told_by(other) and (day.year is None or other.year is not None or _has_year(day.year, passage))
        for other in passage.figures.days
    ):
        return True
    months = {month for other in passage.figures.days if day.year in {None, other.year} for month, _ in other.places}
    values = {value for figure in passage.numbers for value in figure.values}
    return any(month in months and float(of_month) in values for month, of_month in day.places if of_month)


def _has_year(year: int, passage: Passage) -> bool:
    return any(float(year) in figure.values for figure in passage.numbers)


def _has_code(code: str, passage: Passage) -> bool:
    """`q3` is also the third quarter, `fy22` also 2022."""
    if code in passage.figures.codes or code in passage.head_normalised.text or code in passage.normalised.text:
        return True
    letters, digits = code.rstrip("0123456789"), code[len(code.rstrip("0123456789")) :]
    if letters not in {"q", "h", "fy", "cy", "gj"} or not digits:
        return False
    values = {float(digits), 2000 + float(digits)}
    return any(value in figure.values for figure in passage.numbers for value in values)


def _miscounted(claim: Claim, passages: Sequence[Passage]) -> str | None:
    """Numbers written as words, where the passage has another number before the same word."""
    said = folded(claim.text)
    for word, thing in pairwise(said):
        value = NUMBERS.get(word, 0.0)
        if value < 2 or len(thing) < 3 or _ORDINAL.search(word):
            continue
        counted = [p.counted.get(stem(thing)) for p in passages]
        is_other = any(counted) and not any(values and value in values for values in counted)
        if is_other and not any(p.has_number(Figure("", (value,), 9)) for p in passages):
            return _absent(word, passages, [])
    return None


def _by_words(claim: Claim, passage: Passage, sent: Mapping[int, Passage], share: float) -> Verdict:
    count = sum(1.0 if word.weight >= 1 else 0.5 for word in claim.words)
    has_figures = bool(claim.figures)
    if count < MIN_WORDS and not has_figures:
        if claim.names_place or share:
            return Verdict(True, Match.OVERLAP, round(share, 3) or 1.0)
        better = _better(claim, passage, sent, share)
        return NOTHING if better is None else _says_it(better, passage)
    need = WORDS_WITH_FIGURES if has_figures else WORDS
    if count < MIN_WORDS:
        need = 0.0
    if share < need:
        said = f"only {share:.0%} of the sentence is in passage {passage.n}; {need:.0%} are needed"
        return Verdict(False, None, round(share, 3), said)
    if share < ELSEWHERE_FROM and (better := _better(claim, passage, sent, share)) is not None:
        return _says_it(better, passage, share)
    return Verdict(True, Match.OVERLAP, round(share, 3))


def _place(claim: Claim, passage: Passage) -> Span | None:
    """The sentence that has most of a claim's words, if that is enough of them and of its figures."""
    said = {word.stem for word in claim.words}
    span, stems = passage.nearest(said, claim.stems)
    there = passage.figures_of(passage.said_at(span)).numbers
    figures = sum(any(same(figure, other, passage.scales) for other in there) for figure in claim.figures.numbers)
    return span if len(said & stems) + figures >= max(PLACED_WORDS, PLACED * len(said)) else None


def _says_it(better: int, passage: Passage, share: float = 0.0) -> Verdict:
    return Verdict(False, None, round(share, 3), f"passage {better} says this, passage {passage.n} does not")


def _better(claim: Claim, passage: Passage, sent: Mapping[int, Passage], share: float) -> int | None:
    """A passage that was sent and has much more of the claim, its figures too."""
    best, number = 0.0, None
    for other in sent.values():
        if other is not passage and (its := _share(claim, [other])) > best:
            best, number = its, other.n
    enough = best >= ELSEWHERE_FROM and best - share >= ELSEWHERE
    return number if enough and number is not None and _figures(claim, [sent[number]], {}) is None else None


def _share(claim: Claim, passages: Sequence[Passage]) -> float:
    """The weighted share of a claim's words and figures that stand in one of the passages."""
    total = sum(word.weight for word in claim.words)
    have = sum(word.weight for word in claim.words if any(p.has(word.folded) for p in passages))
    for figure in claim.figures.numbers:
        total += FIGURE_WEIGHT
        have += FIGURE_WEIGHT * any(p.has_number(figure) for p in passages)
    for at in range(len(claim.figures.days)):
        total += FIGURE_WEIGHT
        have += FIGURE_WEIGHT * any(_has_day(claim.figures, at, p) for p in passages)
    return have / total if total else 0.0


def _absent(said: str, passages: Sequence[Passage], elsewhere: Sequence[Passage]) -> str:
    numbers = " and ".join(str(passage.n) for passage in passages)
    others = [str(p.n) for p in elsewhere if p not in passages]
    hint = f"; passage {others[0]} has it" if others else ""
    return f"{_short(said)} is not in passage {numbers}{hint}"


def _short(said: str) -> str:
    line = " ".join(said.split())
    return f"“{line}”" if len(line) <= _SHOWN_CHARS else f"“{line[:_SHOWN_CHARS]}…”"
