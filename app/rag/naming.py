"""Which documents a question names: `what does the handbook say of leave`, `Amcor's sales in FY2020`.

A passage seldom says which document it is from, so that among many of a kind (filings, contracts, minutes) neither
words nor meaning find the right one; its name does.
"""

import math
import re
from collections import Counter
from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import Final, TypeVar

from app.crud.stemmer import stem
from app.crud.terms import MARKS, UNSPACED, fold
from app.rag.function_words import DOCUMENTS, FUNCTION_WORDS, TASKS

K = TypeVar("K", bound=Hashable)
COVERED: Final = 0.4  # of a name's words, weighted by how rare they are among the names; numbers count half
NEAR: Final = 0.6  # of the best match, to be named too
FEW, RARE = 2, 3  # names that a telling word may stand in: so many, or a third of all
MOST: Final = 8  # documents that one question names: more say that it names none
MAX_FILES: Final = 2000
MAX_NAME_CHARS: Final = 200
MAX_QUESTION_CHARS: Final = 1000
MAX_JOINED: Final = 4  # words of the question that may be one of a name: BESTBUY
MIN_UNSPACED: Final = 2  # letters of a word in a script that parts none
_WORDS: Final = re.compile(rf"(?:[^\W\d_]|[{MARKS}])+|\d+")
_UNSPACED: Final = re.compile(f"[{UNSPACED}]")
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,5}$")
# What names of files say of no document in particular.
_GENERAL: Final = """
document documents doc docs file files paper article report reports scan scanned copy final draft version rev revised
new old untitled page pages book pdf text txt note notes data info information dated signed dokument datei bericht kopie
entwurf fassung neu alt seite seiten rapport copie informe copia use guide overview annual list
"""
GENERAL: Final = frozenset(stem(word) for word in (*_GENERAL.split(), *FUNCTION_WORDS, *TASKS, *DOCUMENTS))


def named(question: str, names: Mapping[K, str]) -> dict[K, float]:
    """The documents that the question names, each with a weight up to 1; none when it names no one in particular.

    At least one word must match that is not a number and stands in few names, and COVERED of the name.
    """
    if not 2 <= len(names) <= MAX_FILES:
        return {}
    words = {key: words_of(name[:MAX_NAME_CHARS]) for key, name in names.items()}
    counts = Counter(word for each in words.values() for word in each)
    asked = _split(question[:MAX_QUESTION_CHARS])
    said = {stem(word) for word in asked}
    joined = {"".join(asked[at : at + n]) for at in range(len(asked)) for n in range(2, MAX_JOINED + 1)}
    unspaced = "".join(word for word in asked if _UNSPACED.match(word))
    known = {word for word in counts if stem(word) in said or word in joined or _is_within(word, unspaced)}
    telling = {word for word in known if not word.isdigit() and counts[word] <= max(FEW, len(names) / RARE)}
    if not telling:
        return {}
    rarity = {word: math.log1p((len(names) - count + 0.5) / (count + 0.5)) for word, count in counts.items()}
    found: dict[K, float] = {}
    for key, each in words.items():
        matched = each & known
        if matched & telling:
            weight = sum(rarity[word] for word in matched)
            if weight >= COVERED * sum(rarity[word] / (2 if word[0].isdigit() else 1) for word in each):
                found[key] = weight
    best = max(found.values(), default=0.0)
    near = {key: weight / best for key, weight in found.items() if weight >= NEAR * best}
    return near if len(near) <= min(MOST, len(names) - 1) else {}


def _is_within(word: str, unspaced: str) -> bool:
    """Of scripts that part no words."""
    return len(word) >= MIN_UNSPACED and word in unspaced and _UNSPACED.match(word) is not None


@lru_cache(maxsize=8192)
def words_of(name: str) -> frozenset[str]:
    """Of a file's name, its ending left out."""
    return frozenset(word for word in _split(_SUFFIX.sub("", name)) if stem(word) not in GENERAL)


def _split(text: str) -> list[str]:
    """Words, numbers of four digits, and short numbers with the letters that follow them: `10k`."""
    folded = fold(text)
    found = []
    for match in _WORDS.finditer(folded):
        word = match[0]
        letters = _WORDS.match(folded, match.end())
        if word.isdigit() and letters is not None:
            found.append(word + letters[0])
        if len(word) == 4 if word.isdigit() else len(word) > 1:
            found.append(word)
    return found
