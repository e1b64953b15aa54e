"""Makes one passage of chunks that stand next to each other in a file."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from app.crud import page_texts
from app.crud.page_texts import Span
from app.db.session import Session
from app.rag.duplicates import distinct
from app.rag.found import Passage

MOST_CHUNKS: Final = 3  # in one passage: a longer one could not be cited exactly


ACROSS_PAGES: Final = 0.5  # of the better one's score


def condensed(session: Session, reader: UUID, passages: Sequence[Passage], limit: int) -> list[Passage]:
    """The best `limit` chunks that say something new, neighbours merged, best first.

    For every passage, `text == full[char_from:char_to]`, `full` being the pages of its file joined by a form feed.
    """
    groups = neighbours(distinct(passages, limit))
    spans = [_span(group) for group in groups if len(group) > 1]
    texts = page_texts.of_spans(session, reader, spans) if spans else {}
    merged: list[Passage] = []
    for group in groups:
        text = texts.get(_span(group)) if len(group) > 1 else None
        merged += group if text is None else [_merged(group, text)]
    return sorted(merged, key=lambda passage: -passage.score)


def neighbours(passages: Sequence[Passage]) -> list[list[Passage]]:
    """Each group is in the order of its file."""
    groups: list[list[Passage]] = []
    for passage in sorted(passages, key=lambda p: (p.file_id, p.ordinal)):
        if groups and len(groups[-1]) < MOST_CHUNKS and _follows(groups[-1], passage):
            groups[-1].append(passage)
        else:
            groups.append([passage])
    return groups


def _follows(group: Sequence[Passage], passage: Passage) -> bool:
    """Not when a label (a sheet, a chapter) or what belongs before the text would be lost.

    Nor across pages when one is a far worse hit: the page of the better one would be less exact for nothing.
    """
    first, last = group[0], group[-1]
    if (passage.file_id, passage.ordinal) != (last.file_id, last.ordinal + 1) or passage.char_to < last.char_to:
        return False
    if passage.page_to != first.page_from:
        scores = [other.score for other in (*group, passage)]
        if first.page_label or passage.page_label or min(scores) < ACROSS_PAGES * max(scores):
            return False
    return not passage.context or passage.context == first.context or passage.context in first.text


def _span(group: Sequence[Passage]) -> Span:
    first, last = group[0], group[-1]
    char_from = min(passage.char_from for passage in group)
    return Span(first.file_id, first.page_from, last.page_to, char_from, last.char_to)


def _merged(group: Sequence[Passage], text: str) -> Passage:
    """As good as its best chunk."""
    span, best = _span(group), max(group, key=lambda passage: passage.score)
    return replace(
        group[0],
        page_from=span.page_from,
        page_to=span.page_to,
        char_from=span.char_from,
        char_to=span.char_to,
        text=text,
        score=best.score,
        dense_rank=min((p.dense_rank for p in group if p.dense_rank is not None), default=None),
        text_rank=min((p.text_rank for p in group if p.text_rank is not None), default=None),
    )
