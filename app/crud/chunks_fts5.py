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
NARROW_FILES = 500
ADD = text("INSERT INTO chunks_fts (rowid, words) VALUES (:id, :words)")
FREQUENCIES = text("""
    SELECT found.term, count(DISTINCT found.doc)
    FROM json_each(:terms) AS asked CROSS JOIN chunks_fts_terms AS found ON found.term = asked.value
    GROUP BY found.term
""")
# A narrow search finds the ids of its chunks first, and so does not look at every hit's row: one file of 100,000 chunks
# takes 2 ms instead of 24. A wide one would only read more.
SEARCH = text("""
    WITH hits AS (
        SELECT found.doc AS id, asked.value AS weight, count(*) AS frequency
        FROM json_each(:weights) AS asked CROSS JOIN chunks_fts_terms AS found ON found.term = asked.key
        WHERE :is_wide OR found.doc IN (
            SELECT chunks.id FROM json_each(:files) AS whole CROSS JOIN chunks ON chunks.file_id = whole.value
            UNION ALL
            SELECT chunks.id FROM json_each(:spans) AS spans CROSS JOIN chunks ON chunks.file_id = spans.value ->> 0
                AND chunks.ordinal BETWEEN spans.value ->> 1 AND spans.value ->> 2
        )
        GROUP BY asked.key, found.doc
    )
    SELECT chunks.file_id, chunks.ordinal, sum(
        weight * frequency * (:k1 + 1) / (frequency + :k1 * (1 - :b + :b * chunks.terms / :mean_terms))
    ) AS score
    FROM hits CROSS JOIN chunks ON chunks.id = hits.id CROSS JOIN files ON files.id = chunks.file_id
    WHERE chunks.user_id = :owner AND chunks.generation = :generation AND files.status = 'ready'
        AND (
            NOT :is_wide OR :files IS NULL OR chunks.file_id IN (SELECT value FROM json_each(:files)) OR chunks.id IN (
                SELECT spanned.id FROM json_each(:spans) AS spans CROSS JOIN chunks AS spanned
                ON spanned.file_id = spans.value ->> 0
                    AND spanned.ordinal BETWEEN spans.value ->> 1 AND spans.value ->> 2
            )
        )
    GROUP BY chunks.id ORDER BY score DESC, chunks.id LIMIT :limit
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
        "files": None if reach.file_ids is None else json.dumps([file_id.hex for file_id in reach.file_ids]),
        "spans": json.dumps(spans),
        "is_wide": reach.file_ids is None or len(reach.file_ids) + len(reach.spans) > NARROW_FILES,
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
