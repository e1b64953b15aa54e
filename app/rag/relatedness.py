"""Whether a passage has to do with a question: the score floor of answers.

score = (1 + f) / 2 * nearness + (1 - f / 2) * coverage, and what reaches the floor is related; so is a coverage of 0.6.
`f` is how well the embedder knows the question's words, so that words count for more where meaning is unsure. Nearness
is the cosine, scaled so that the embedder's `related_from` is 0.25. Coverage is the share of the question's words that
the passage has, weighed by their rarity, without words such as "how".
Measured in docs/decisions/0015-passages.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.core.passages import spoken
from app.crud import chunks
from app.crud.stemmer import stem
from app.crud.terms import MAX_QUERY_CHARS, MAX_QUERY_TERMS, MAX_TERM_CHARS, analyse, words
from app.db.session import Session
from app.rag.found import Passage
from app.rag.function_words import DOCUMENTS, FUNCTION_WORDS, TASKS
from app.rag.naming import words_of

COVERED: Final = 0.6
NEAR: Final = 0.25
SAME_LETTERS: Final = 6  # at the beginning of two words make them one, where the stemmer does not know the language


@dataclass(frozen=True, slots=True)
class Floor:
    """What a passage's score must reach, and what its coverage must when it was found by words alone."""

    score: float
    coverage: float


RELATED: Final = Floor(0.4, 0.25)  # rather a passage too many than none
STRICT: Final = Floor(0.5, 0.35)


@dataclass(frozen=True, slots=True)
class Library:
    """Everything of these owners in one index."""

    owners: Sequence[UUID]
    generation: int


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is known of the search by meaning.

    `at_most`: the cosine of passages that it did not find; None: they may have no vector at all.
    """

    related_from: float
    familiarity: float
    at_most: float | None


def asks_for_all(query: str) -> bool:
    """Whether it is about documents as a whole, in no words of theirs: "summarise the report"."""
    said = set(words(query[:MAX_QUERY_CHARS])) - FUNCTION_WORDS
    return bool(said & TASKS) and not said - TASKS - DOCUMENTS


def related(
    session: Session, library: Library, query: str, found: Sequence[Passage], by: Meaning | None, floor: Floor
) -> list[Passage]:
    """Those that have to do with the query, in their order. `by` None: they were found by words alone.

    How rare a word is, the library says.
    """
    if asks_for_all(query):
        return list(found)
    said = [word for word in words(query[:MAX_QUERY_CHARS]) if word not in FUNCTION_WORDS]
    terms = list(dict.fromkeys(stem(word)[:MAX_TERM_CHARS] for word in said))[:MAX_QUERY_TERMS]
    rarities = chunks.rarities(session, library.owners, terms, generation=library.generation)
    return [passage for passage in found if _is_related(passage, _coverage(passage, rarities), by, floor)]


def _is_related(passage: Passage, coverage: float, by: Meaning | None, floor: Floor) -> bool:
    cosine = passage.cosine if passage.cosine is not None or by is None else by.at_most
    if by is None or cosine is None:
        return coverage >= floor.coverage
    nearness = NEAR + (1 - NEAR) * (cosine - by.related_from) / max(1e-6, 1 - by.related_from)
    score = (1 + by.familiarity) / 2 * max(0.0, nearness) + (1 - by.familiarity / 2) * coverage
    return score >= floor.score or coverage >= COVERED


def _coverage(passage: Passage, rarities: dict[str, float]) -> float:
    """From 0 to 1; 0 for a question without words that carry a subject.

    Words that name the passage's document say where to look, and need not be in the passage.
    """
    if passage.is_named:
        name = {stem(word) for word in words_of(passage.file_name)}
        rarities = {term: rarity for term, rarity in rarities.items() if term not in name}
        if not rarities:
            return 1.0
    has = set(analyse(spoken(passage.context, passage.text)))
    beginnings = {term[:SAME_LETTERS] for term in has if len(term) >= SAME_LETTERS}
    covered = sum(
        rarity
        for term, rarity in rarities.items()
        if term in has or (len(term) >= SAME_LETTERS and term[:SAME_LETTERS] in beginnings)
    )
    return covered / (sum(rarities.values()) or 1.0)
