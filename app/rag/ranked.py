"""From what each half of a search found to passages in one order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from uuid import UUID

from app.crud import chunks, index
from app.crud.bm25 import Place
from app.crud.chunks import Located
from app.db.session import Session
from app.rag.found import Passage
from app.rag.fusion import fuse, ranks

Scores = Mapping[Place, float]
NAMED = 1.2  # what the best passage of a document that the question names gains, where the best of all has 1


@dataclass(frozen=True, slots=True)
class Halves:
    """Scores of each half, None where it was not searched."""

    dense: Scores | None
    text: Scores | None

    def fused(self, share: float) -> dict[Place, float]:
        """`share`: what the dense half counts for."""
        halves = [(weight, half) for weight, half in ((share, self.dense), (1 - share, self.text)) if half]
        return fuse(halves)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in all that is searched, and once more in the documents that the question names alone.

    `named`: these documents, with weights up to 1. `share`: what meaning counts for.
    """

    reader: UUID
    halves: Halves
    share: float
    generation: int
    named: Mapping[UUID, float] = field(default_factory=dict)
    within: Halves = Halves(None, None)


def passages(session: Session, *, found: Found, limit: int) -> list[Passage] | None:
    """A chunk that is not in a ready file any more, or may not be read any more, is passed over.

    None: the index was swapped meanwhile. What is read before that is seen is whole: removal comes after the swap.
    """
    scores = _scores(found)
    places = list(scores)[:limit]
    rows = chunks.by_places(session, found.reader, places, generation=found.generation) if scores else []
    if index.current_id(session) != found.generation:
        return None
    row_at = {(row.file_id, row.ordinal): row for row in rows}
    dense, text = found.halves.dense or {}, found.halves.text or {}
    dense_ranks, text_ranks = ranks(dense), ranks(text)
    cosines = {**(found.within.dense or {}), **dense}
    return [
        replace(
            _passage(row_at[place], score, (dense_ranks.get(place), text_ranks.get(place)), cosines.get(place)),
            is_named=place[0] in found.named,
        )
        for place, score in scores.items()
        if place in row_at
    ]


def _scores(found: Found) -> dict[Place, float]:
    """Best first, from 0 to 1."""
    scores = found.halves.fused(found.share)
    if not found.named:
        return scores
    for place, score in found.within.fused(found.share).items():
        scores[place] = scores.get(place, 0.0) + NAMED * score * found.named.get(place[0], 0.0)
    return dict(sorted(((place, score / (1 + NAMED)) for place, score in scores.items()), key=lambda item: -item[1]))


def _passage(row: Located, score: float, at: tuple[int | None, int | None], cosine: float | None) -> Passage:
    return Passage(
        file_id=row.file_id,
        file_name=row.file_name,
        page_from=row.page_from,
        page_to=row.page_to,
        char_from=row.char_from,
        char_to=row.char_to,
        text=row.text,
        score=score,
        dense_rank=at[0],
        text_rank=at[1],
        context=row.context,
        page_label=row.page_label,
        ordinal=row.ordinal,
        cosine=cosine,
    )
