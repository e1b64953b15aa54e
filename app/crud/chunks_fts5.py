"""The text index on SQLite: FTS5 as a compact store of postings (a table of them would take six times the space).

Every term is indexed with a mark of its owner and generation before it, so that a search reads the postings of one
library alone, and no score depends on what others have uploaded, as the score of FTS5's own bm25() would.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.crud import bm25
from app.crud.bm25 import Library, Scored
from app.crud.scope import Reach

MARK_CHARS = 8
ADD = text("INSERT INTO chunks_fts (rowid, words) VALUES (:id, :words)")
FREQUENCIES = text("""
    SELECT found.term, found.doc FROM json_each(:terms) AS asked
        CROSS JOIN chunks_fts_counts AS found ON found.term = asked.value
""")
# A scope's chunks are found first, so that no hit outside of it is looked at. A hit's row, a whole page of the file, is
# read for the best alone: to score it, its number of terms stands in an index.
SEARCH = text("""
    WITH hits AS (
        SELECT found.doc AS id, asked.value AS weight, count(*) AS frequency
        FROM json_each(:weights) AS asked CROSS JOIN chunks_fts_terms AS found ON found.term = asked.key
        WHERE :files IS NULL OR found.doc IN (
            SELECT chunks.id FROM json_each(:files) AS whole CROSS JOIN chunks ON chunks.file_id = whole.value
            UNION ALL
            SELECT chunks.id FROM json_each(:spans) AS spans CROSS JOIN chunks ON chunks.file_id = spans.value ->> 0
                AND chunks.ordinal BETWEEN spans.value ->> 1 AND spans.value ->> 2
        )
        GROUP BY asked.key, found.doc
    ), best AS (
        SELECT hits.id, sum(
            weight * frequency * (:k1 + 1) / (frequency + :k1 * (1 - :b + :b * sized.terms / :mean_terms))
        ) AS score
        FROM hits CROSS JOIN chunks AS sized INDEXED BY ix_chunks_fts_terms ON sized.id = hits.id
        WHERE hits.id NOT IN (
            SELECT chunks.id FROM files CROSS JOIN chunks ON chunks.file_id = files.id
            WHERE files.user_id = :owner AND files.status <> 'ready'
        )
        GROUP BY hits.id ORDER BY score DESC, hits.id LIMIT :limit
    )
    SELECT chunks.file_id, chunks.ordinal, best.score FROM best CROSS JOIN chunks ON chunks.id = best.id
    WHERE chunks.user_id = :owner AND chunks.generation = :generation
    ORDER BY best.score DESC, best.id
""")
COUNT = text(
    "SELECT count(*) FROM chunks JOIN chunks_fts ON chunks_fts.rowid = chunks.id "
    "WHERE chunks.file_id = :file AND (:generation IS NULL OR chunks.generation = :generation)"
)
# A deleted row's terms stay in older segments until these are merged. 5 microseconds for each chunk in the index.
PURGE = text("INSERT INTO chunks_fts (chunks_fts) VALUES ('optimize')")


async def add(session: AsyncSession, owner: UUID, terms: Mapping[int, Sequence[str]], *, generation: int) -> None:
    """Index the terms of these chunks, by chunk id."""
    before = mark((owner, generation))
    rows = [{"id": chunk, "words": " ".join(before + term for term in words)} for chunk, words in terms.items()]
    await session.execute(ADD, rows)


def document_frequencies(session: Session, library: Library, terms: Sequence[str]) -> dict[str, int]:
    """How many of the owner's chunks have each term; a term that none has is left out."""
    before = mark(library)
    rows = session.execute(FREQUENCIES, {"terms": json.dumps([before + term for term in terms])})
    return {term[MARK_CHARS:]: count for term, count in rows}


def search(
    session: Session,
    reach: Reach,
    weights: Mapping[str, float],
    *,
    generation: int,
    mean_terms: float,
    limit: int,
) -> list[Scored]:
    """Chunks of ready files with their scores, best first."""
    before = mark((reach.owner, generation))
    spans = [[file_id.hex, first, last] for file_id, found in reach.spans.items() for first, last in found]
    values = {
        "weights": json.dumps({before + term: weight for term, weight in weights.items()}),
        "files": None
        if reach.file_ids is None or reach.is_all_ready
        else json.dumps([file_id.hex for file_id in reach.file_ids]),
        "spans": json.dumps(spans),
        "owner": reach.owner.hex,
        "generation": generation,
        "mean_terms": mean_terms,
        "k1": bm25.K1,
        "b": bm25.B,
        "limit": limit,
    }
    return [((UUID(file), ordinal), score) for file, ordinal, score in session.execute(SEARCH, values)]


async def count(session: AsyncSession, file_id: UUID, generation: int | None) -> int:
    """How many of the file's chunks are in the index."""
    return int((await session.execute(COUNT, {"file": file_id.hex, "generation": generation})).scalar_one())


async def purge(session: AsyncSession) -> None:
    """Rewrite the index without what was deleted. A trigger has taken the rows out already."""
    await session.execute(PURGE)


def mark(library: Library) -> str:
    """Random ids: two libraries may share a mark, and the query asks for owner and generation besides."""
    owner, generation = library
    whole = sha256(f"{owner.hex}:{generation}".encode()).hexdigest() if generation else owner.hex
    return whole[:MARK_CHARS]
