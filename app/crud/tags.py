"""Tags of files and page ranges: set, counted, and as a filter of files and of passages."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Select, and_, delete, distinct, exists, func, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.tags import Placed
from app.crud.sharing import COLLECTIONS, FILES, MEMBERS, OPEN_COLLECTION, among
from app.db.base import table_of
from app.db.models import Chunk, FileTag

TABLE, CHUNKS = table_of(FileTag), table_of(Chunk)
MAX_COUNTED = 10_000  # different values in one answer
S = TypeVar("S", bound=Select[Any])
Span = tuple[int, int]  # ordinals of chunks, from and to
Filter = Mapping[str, Sequence[str]]


async def replace(session: AsyncSession, file_id: UUID, found: Sequence[Placed]) -> None:
    """All tags of a file, instead of those it has."""
    await session.execute(delete(TABLE).where(TABLE.c.file_id == file_id))
    if found:
        await session.execute(insert(TABLE), [{"file_id": file_id, **tag._asdict()} for tag in found])


def counts(session: Session, owner: UUID, collection_id: UUID | None = None) -> list[tuple[str, str, int]]:
    """Key, value and how many files have it, on any page: of the owner's files, or of a collection he may use."""
    statement = (
        select(TABLE.c.key, TABLE.c.value, func.count(distinct(TABLE.c.file_id)))
        .join(FILES, FILES.c.id == TABLE.c.file_id)
        .group_by(TABLE.c.key, TABLE.c.value)
        .order_by(TABLE.c.key, TABLE.c.value)
        .limit(MAX_COUNTED)
    )
    if collection_id is None:
        statement = statement.where(FILES.c.user_id == owner)
        return [(key, value, files) for key, value, files in session.execute(statement)]
    statement = (
        statement.join(MEMBERS, MEMBERS.c.file_id == FILES.c.id)
        .join(COLLECTIONS, COLLECTIONS.c.id == MEMBERS.c.collection_id)
        .where(COLLECTIONS.c.id == collection_id, OPEN_COLLECTION)
    )
    return [(key, value, files) for key, value, files in session.execute(statement, {"reader": owner})]


def narrowed(statement: S, tags: Filter) -> S:
    """Of files, those that have a value of every key, on the whole file or on some page."""
    for key, values in tags.items():
        statement = statement.where(
            exists().where(TABLE.c.file_id == FILES.c.id, TABLE.c.key == key, TABLE.c.value.in_(values))
        )
    return statement


def spans(session: Session, file_ids: Sequence[UUID], tags: Filter, *, generation: int = 0) -> dict[UUID, list[Span]]:
    """For files that have these tags only on some pages: the ordinals of the chunks that touch such pages.

    A chunk must touch a page with a value of every key, not the same page for all. The file's own tags count for every
    page. A file that is not in the answer has the tags as a whole.
    """
    if not tags or not file_ids:
        return {}
    matching = or_(*(and_(TABLE.c.key == key, TABLE.c.value.in_(values)) for key, values in tags.items()))
    of_pages = select(TABLE.c.file_id).where(
        TABLE.c.page_from.is_not(None), matching, among(session, TABLE.c.file_id, file_ids)
    )
    some = list(session.scalars(of_pages.distinct()))
    if not some:
        return {}
    whole = select(TABLE.c.file_id, TABLE.c.key).where(
        TABLE.c.page_from.is_(None), matching, among(session, TABLE.c.file_id, some)
    )
    has = {(file_id, key) for file_id, key in session.execute(whole)}
    found: dict[UUID, list[Span]] = {}
    for key, values in tags.items():
        partial = [file_id for file_id in some if (file_id, key) not in has]
        touched = _touched(session, partial, (key, values), generation)
        for file_id in partial:
            here = touched.get(file_id, [])
            found[file_id] = intersected(found[file_id], here) if file_id in found else here
    return found


def _touched(
    session: Session, file_ids: Sequence[UUID], tag: tuple[str, Sequence[str]], generation: int
) -> dict[UUID, list[Span]]:
    """Runs of ordinals of an index's chunks that touch a page with one of a key's values."""
    key, values = tag
    if not file_ids:
        return {}
    hits = (
        select(CHUNKS.c.file_id, CHUNKS.c.ordinal)
        .distinct()
        .select_from(TABLE)
        .join(CHUNKS, CHUNKS.c.file_id == TABLE.c.file_id)
        .where(among(session, TABLE.c.file_id, file_ids), TABLE.c.key == key, TABLE.c.value.in_(values))
        .where(CHUNKS.c.generation == generation)
        .where(CHUNKS.c.page_from <= TABLE.c.page_to, CHUNKS.c.page_to >= TABLE.c.page_from)
        .subquery()
    )
    # Ordinals that follow each other have the same distance to their rank.
    rank = func.row_number().over(partition_by=hits.c.file_id, order_by=hits.c.ordinal)
    runs = select(hits.c.file_id, hits.c.ordinal, (hits.c.ordinal - rank).label("run")).subquery()
    statement = (
        select(runs.c.file_id, func.min(runs.c.ordinal), func.max(runs.c.ordinal))
        .group_by(runs.c.file_id, runs.c.run)
        .order_by(runs.c.file_id, func.min(runs.c.ordinal))
    )
    found: dict[UUID, list[Span]] = {}
    for file_id, first, last in session.execute(statement):
        found.setdefault(file_id, []).append((first, last))
    return found


def intersected(one: Sequence[Span], other: Sequence[Span]) -> list[Span]:
    """What is in both. Each is in order and without overlaps."""
    found: list[Span] = []
    a = b = 0
    while a < len(one) and b < len(other):
        first, last = max(one[a][0], other[b][0]), min(one[a][1], other[b][1])
        if first <= last:
            found.append((first, last))
        if one[a][1] < other[b][1]:
            a += 1
        else:
            b += 1
    return found
