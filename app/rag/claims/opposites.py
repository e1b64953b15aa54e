"""Claims that say the contrary of the place that they come from: `rose` for `fell`, `first` for `last`, `not`, `by` for
`to`, and the cell of another row of a table.

Only where the place is plain: a clause of the passage shares most of the claim's words, and has the one word where the
claim has the other. Where claim or sentence has both, nothing is said.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.crud.stemmer import stem
from app.rag.claims import words
from app.rag.claims.claim import Claim
from app.rag.claims.figures import Figure, Figures, plain, same
from app.rag.claims.opposite_words import CHANGES, EITHER, NOT_ONLY, OPPOSITES, Sides, is_denied
from app.rag.claims.passage import Passage

SHARED: Final = 0.5  # of a claim's other words, in the clause with the opposite
NEGATED: Final = 0.8  # of them, where only a "not" differs
ALIKE: Final = 0.6  # of the clause's words, in such a claim
MIN_SHARED: Final = 2
MOST_FIGURES: Final = 20  # of a claim, and of a figure's places, that are looked at
ONE: Final = frozenset({1.0})
# Other ways to say that something is not so, or is so within bounds only: where one side has one of them, an opposite
# or a "not" on the other is no contradiction.
_BOUNDED: Final = re.compile(
    r"\b(?:without|no|nobody|non|neither|lack\w*|absen\w+|except\w*|exclud\w+|exempt\w*|hardly|barely|rarely|only|few"
    r"|unless|if|until|till|once|before|after|within|between|range\w*|lasted|took|through|at least|at most|must|have to"
    r"|has to|not all|ohne|kaum|nur|ausser|außer|fehl\w+|befreit|wenn|falls|bis|bevor|vor|nach|innerhalb|zwischen"
    r"|dauerte|mindestens|höchstens|muss|müssen|nicht alle|sans|sauf|sin|salvo|senza|solo|si|jusqu\w*|hasta|avant|après"
    r"|antes|después)\b",
    re.IGNORECASE,
)
_PREFIXED: Final = re.compile(r"\b(?:un|dis|in|im|ir|il|non-?)\w{4,}|\w+(?:less|los)\b", re.IGNORECASE)
_CLAUSE: Final = re.compile(
    r"[;:]\s|,\s|\s(?:and|but|while|whereas|although|though|because|und|aber|sondern|während|obwohl|mais|pero|sino)\s"
)
_MARKED: Final = re.compile(
    r"\b(by|to|from|um|auf)\s+(?:about |around |roughly |rund |etwa |US|[A-Z]{3} )?[$€£]?\s?$", re.IGNORECASE
)
_RANGE: Final = re.compile(
    r"(?:\b(by|from|um|von)\s+)?(?<!\S)(?!(?:19|20)\d\d\s)\S*\d\S*(?:\s\S+)?\s(?:to|auf)\s+$", re.IGNORECASE
)
_KIND: Final = {"by": "by", "um": "by", "to": "to", "auf": "to", "from": "from"}
_COMPARED: Final = re.compile(r"\b(?:than|compared|versus|vs|als|verglichen|que)\b", re.IGNORECASE)
_CONTRAST: Final = re.compile(r";\s|,?\s(?:while|whereas|but|während|wohingegen|aber|tandis que|mientras que)\s")


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence of a passage, or a part of one."""

    text: str
    stems: frozenset[str]
    passage: Passage

    @property
    def figures(self) -> Figures:
        return self.passage.figures_of(self.text)


def opposed(claim: Claim, passage: Passage) -> str | None:
    """What the claim says and the passage says the contrary of."""
    stems = claim.stems
    asked = [pair for pair in OPPOSITES if bool(stems & pair[0]) != bool(stems & pair[1])]
    denied = is_denied(claim.text)
    if not asked and not denied and not passage.has_denial:
        return None
    said = _said(claim)
    clauses = _with_parts(_nearest(claim, passage, said))
    if asked and not denied:
        contrary = [word for pair in asked if (word := _contrary(claim, pair, clauses, said)) is not None]
        if len(contrary) == 1:  # two of them make it right again: women less, men more
            return contrary[0]
    if _only_denied(claim, clauses, said, denied=denied):
        return "not"
    return None


def of_another(claim: Claim, passage: Passage) -> str | None:
    """A name of the claim, where one side of a contrast says the rest of another, and the other side has the name."""
    names = {word.stem for word in claim.words if word.name}
    if not names or not _CONTRAST.search(passage.body):
        return None
    rest = {word.stem for word in claim.words if not word.name}
    sides = [(part, words.stems(part)) for part in _CONTRAST.split(_nearest(claim, passage, rest).text)]
    if len(sides) < 2:
        return None
    best = max(sides, key=lambda side: len(rest & side[1]))
    if len(rest & best[1]) < max(MIN_SHARED, SHARED * len(rest)) or names & best[1]:
        return None
    others = [side for side in sides if side is not best]
    has_other = any(word.name and word.stem not in names for word in words.content(best[0], known=passage.capitals))
    if not has_other or any(rest & stems for _, stems in others) or not any(names <= stems for _, stems in others):
        return None
    return next(word.said for word in claim.words if word.name)


def exchanged(claim: Claim, passage: Passage) -> str | None:
    """A figure that the passage has as another end of the same change, or in another row of a table."""
    rising, falling = (bool(claim.stems & side) for side in CHANGES)
    if rising != falling and (figure := _of_another_end(claim, passage, CHANGES[falling], CHANGES[rising])) is not None:
        return figure
    return None if _COMPARED.search(claim.text) else _of_another_row(claim, passage)


def _of_another_end(claim: Claim, passage: Passage, same_way: Set[str], other_way: Set[str]) -> str | None:
    place = _nearest(claim, passage, _said(claim))
    if not place.stems & same_way or place.stems & other_way:
        return None
    for figure in claim.figures.numbers[:MOST_FIGURES]:
        own = _ends(figure, claim.text, claim.figures)
        if own and "" not in own and (there := _ends(figure, place.text, place.figures)) and not there & {*own, ""}:
            return figure.said
    return None


def _said(claim: Claim) -> set[str]:
    """The claim's words, those of opposites left out."""
    return {word.stem for word in claim.words} - EITHER


def _nearest(claim: Claim, passage: Passage, said: set[str]) -> Clause:
    """The sentence that shares most with the claim."""
    span, stems = passage.nearest(said, claim.stems)
    return Clause(passage.said_at(span), frozenset(stems), passage)


def _with_parts(whole: Clause) -> list[Clause]:
    """A sentence, and its clauses if it has several."""
    parts = [part for part in _CLAUSE.split(whole.text) if part.strip()]
    if len(parts) < 2:
        return [whole]
    return [whole, *(Clause(part, frozenset(words.stems(part)), whole.passage) for part in parts)]


def _fits(claim: Claim, clause: Clause, said: set[str], share: float) -> bool:
    """Whether a clause has so much of a claim, and one of its figures if there are any."""
    shared = len(said & clause.stems)
    if shared < share * len(said):
        return False
    there = [figure for figure in claim.figures.numbers if _has(figure, clause.figures)]
    return (bool(there) or not claim.figures.numbers) and shared + len(there) >= MIN_SHARED


def _has(figure: Figure, there: Figures) -> bool:
    return any(same(figure, other, ONE) for other in there.numbers)


def _contrary(claim: Claim, pair: Sides, clauses: Sequence[Clause], said: set[str]) -> str | None:
    own, other = pair if claim.stems & pair[0] else (pair[1], pair[0])
    whole = clauses[0]
    fitting = [clause for clause in clauses[1:] if _fits(claim, clause, said, SHARED)]
    if not fitting and _fits(claim, whole, said, SHARED):
        fitting = [whole]
    if not fitting or whole.stems & own or _BOUNDED.search(claim.text) or _BOUNDED.search(whole.text):
        return None
    most = max(len(said & clause.stems) for clause in fitting)
    best = [clause for clause in fitting if len(said & clause.stems) == most]
    if not any(clause.stems & other for clause in best) or any(is_denied(clause.text) for clause in best):
        return None
    return next(word for word in words.folded(claim.text) if stem(word) in own)


def _only_denied(claim: Claim, clauses: Sequence[Clause], said: set[str], *, denied: bool) -> bool:
    """Whether claim and clause are the same but for a `not`."""
    if len(said) < MIN_SHARED:
        return False
    fitting = [clause for clause in clauses if _fits(claim, clause, said, NEGATED)]
    if not fitting or NOT_ONLY.search(claim.text) or NOT_ONLY.search(clauses[0].text):
        return False
    narrowest = min(fitting, key=lambda clause: len(clause.stems))
    there = clauses[0] if denied else narrowest
    if is_denied(there.text) == denied or any(
        pattern.search(text) for pattern in (_BOUNDED, _PREFIXED) for text in (claim.text, there.text)
    ):
        return False
    told = {word.stem for word in words.content(there.text)}
    return len(said & told) >= ALIKE * len(told) and not _has_opposite(claim, there)


def _has_opposite(claim: Claim, clause: Clause) -> bool:
    return any(
        (claim.stems & left and clause.stems & right) or (claim.stems & right and clause.stems & left)
        for left, right in OPPOSITES
    )


def _ends(figure: Figure, text: str, known: Figures) -> set[str]:
    """Of what end of a change a text has a figure: by, to, from; "" for none of them."""
    found = set()
    line = plain(text)
    for said in {other.said for other in known.numbers if _may_change(other, figure)}:
        for place in islice(re.finditer(rf"(?<![\w.,]){re.escape(said)}", line), MOST_FIGURES):
            before = line[max(0, place.start() - 40) : place.start()]
            between = _RANGE.search(before)
            marked = None if between and not between[1] else _MARKED.search(before)
            found.add(_KIND[marked[1].lower()] if marked else "")
    return found


def _may_change(other: Figure, figure: Figure) -> bool:
    """Whether it is the figure, and not a year."""
    is_year = other.unit is None and 1900 <= other.values[0] < 2100
    return not is_year and other.unit == figure.unit and same(figure, other, ONE)


def _of_another_row(claim: Claim, passage: Passage) -> str | None:
    rows = passage.rows
    for figure in claim.figures.numbers if rows else ():
        own = [label for label, there in rows if _has(figure, there)]
        if not own or any(not label or label & claim.stems for label in own):
            continue
        if any(label & claim.stems for label, _ in rows):
            return figure.said
    return None


__all__ = ["exchanged", "of_another", "opposed"]
