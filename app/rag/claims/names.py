"""Names of a claim that a passage does not have, where it has others in their place."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from app.crud.terms import fold
from app.rag.claims import words
from app.rag.claims.claim import Claim
from app.rag.claims.languages import IGNORED
from app.rag.claims.passage import Passage
from app.rag.claims.words import Word

_MIN_SHORT: Final = 3  # letters of a name's beginning that stand for it: Fed, Alex
_BEFORE: Final = re.compile(r"([^\W\d_]+)[ ]$")


def missing(claim: Claim, passage: Passage, sent: Sequence[Passage]) -> str | None:
    """A name that speaks against the claim: the passage has another one there, or another passage has this one."""
    for said in claim.katakana:
        if said not in passage.body and any(
            word not in claim.text for word in words.katakana(_nearest(claim, passage))
        ):
            return said
    groups: dict[int, list[Word]] = {}
    for word in claim.words:
        if word.name:
            groups.setdefault(word.name, []).append(word)
    for group in groups.values():
        absent = [word for word in group if not _is_there(word, group, passage)]
        if not absent:
            continue
        said = " ".join(word.said for word in group)
        if len(absent) == len(group):
            elsewhere = any(p is not passage and all(p.has(w.folded) for w in group) for p in sent)
            if elsewhere or _has_others(claim, passage):
                return said
        elif _contradicts(group, absent, passage):
            return said
    return None


def _is_there(word: Word, group: Sequence[Word], passage: Passage) -> bool:
    if passage.has(word.folded):
        return True
    if word.said.isupper() and len(word.said) > 1:
        spelled = len(word.said) >= _MIN_SHORT and word.folded in passage.letters
        return spelled or word.said in passage.initials
    initials = "".join(one.said[0] for one in group)
    if len(group) > 1 and re.search(rf"\b{re.escape(initials)}\b", passage.body):
        return True
    short = len(word.folded) >= _MIN_SHORT and re.search(rf"\b{re.escape(word.said)}", passage.body)
    return bool(short)


def _has_others(claim: Claim, passage: Passage) -> bool:
    """Whether the place that the claim is nearest to has names that the claim does not have."""
    sentence = _nearest(claim, passage)
    said = {word.folded for word in claim.words} | set(words.folded(claim.text))
    others = words.content(sentence, known=passage.capitals, is_german=passage.is_german)
    return any(word.name and word.folded not in said and word.folded not in IGNORED for word in others)


def _nearest(claim: Claim, passage: Passage) -> str:
    return passage.said_at(passage.nearest(claim.stems)[0])


def _contradicts(group: Sequence[Word], absent: Sequence[Word], passage: Passage) -> bool:
    """`Mary Smith` where the passage has only `John Smith`; not where it has `Smith` alone."""
    own = IGNORED | {word.folded for word in group}
    for before, word in pairwise(group):
        if before not in absent or word in absent:
            continue
        found = [_BEFORE.search(passage.body, max(0, m.start() - 40), m.start()) for m in _places(word, passage)]
        others = [m[1] for m in found if m is not None and m[1][0].isupper() and fold(m[1]) not in own]
        if others and len(others) == len(found):
            return True
    for word, after in pairwise(group):
        if after not in absent or word in absent:
            continue
        following = [re.compile(r" ([^\W\d_]+)").match(passage.body, m.end()) for m in _places(word, passage)]
        others = [m[1] for m in following if m is not None and m[1][0].isupper() and fold(m[1]) not in own]
        if others and len(others) == len(following):
            return True
    return False


def _places(word: Word, passage: Passage) -> list[re.Match[str]]:
    return list(re.finditer(rf"(?<!\w){re.escape(word.said)}(?!\w)", passage.body))
