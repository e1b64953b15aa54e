"""BM25, in the part that is not SQL. Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework"."""

import math
from collections.abc import Mapping
from typing import Final
from uuid import UUID

Place = tuple[UUID, int]  # of a chunk: its file and ordinal
Scored = tuple[Place, float]
Library = tuple[UUID, int]  # an owner, and the generation of the chunks that are searched
K1: Final = 1.2
B: Final = 0.75


def weights(query: Mapping[str, int], document_frequencies: Mapping[str, int], chunks: int) -> dict[str, float]:
    """The weight of each query term that occurs: how often it is asked for times its inverse document frequency.

    The frequency is ln(1 + (N - n + 0.5) / (n + 0.5)), which stays above 0 for a term that most chunks have.
    """
    return {
        term: query[term] * math.log1p((chunks - found + 0.5) / (found + 0.5))
        for term, found in document_frequencies.items()
    }
