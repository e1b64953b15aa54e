"""Leaves out passages that say nothing new: the same text in two files, a notice that every page repeats."""

from collections.abc import Iterable
from typing import Final

from app.crud.terms import words
from app.rag.found import Passage

SHINGLE_WORDS: Final = 3
SAME_FROM: Final = 0.9


class Said:
    """What passages have said so far, as sets of three words in a row."""

    def __init__(self) -> None:
        self._before: list[tuple[frozenset[tuple[str, ...]], frozenset[str]]] = []

    def is_new(self, text: str) -> bool:
        """Whether no text before has 90 % of this one's word triples and all its numbers. Remembers it if so.

        Two rows of a table that differ in a figure alone are two things.
        """
        found = words(text)
        size = min(SHINGLE_WORDS, len(found))
        shingles = frozenset(tuple(found[i : i + size]) for i in range(len(found) - size + 1))
        numbers = frozenset(word for word in found if any(letter.isdigit() for letter in word))
        for others, known in self._before:
            if numbers <= known and len(shingles & others) >= SAME_FROM * len(shingles):
                return False
        self._before.append((shingles, numbers))
        return True


def distinct(passages: Iterable[Passage], limit: int) -> list[Passage]:
    """The first `limit` passages, in their order, without those that an earlier and so better one contains."""
    said, kept = Said(), list[Passage]()
    for passage in passages:
        if len(kept) == limit:
            break
        if said.is_new(passage.text):
            kept.append(passage)
    return kept
