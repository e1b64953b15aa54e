"""Which files a question searches: whose, which, and with which tags.

Rights are part of every statement here. They are asked again where passages are read, since they may change meanwhile.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.core.errors import Conflict, NotFound
from app.crud import tags as tag_rows
from app.crud.sharing import COLLECTIONS, MEMBERS, OPEN_COLLECTION, READABLE_FILE, among
from app.crud.tags import Span
from app.db.base import table_of
from app.db.models import Conversation, File

TABLE, CONVERSATIONS = table_of(File), table_of(Conversation)
GIVEN_UP = {FileStatus.FAILED, FileStatus.CANCELLED}
READY = TABLE.c.status == bindparam("status", FileStatus.READY)
# The hot path asks this for every question: statements are made once.
_IN_CONVERSATION = select(TABLE.c.id, TABLE.c.status).where(
    TABLE.c.user_id == bindparam("owner"), TABLE.c.conversation_id == bindparam("conversation_id")
)
_COLLECTIONS_OF = select(CONVERSATIONS.c.collection_ids).where(
    CONVERSATIONS.c.id == bindparam("conversation_id"), CONVERSATIONS.c.user_id == bindparam("owner")
)
_EVERYTHING = select(TABLE.c.id).where(TABLE.c.user_id == bindparam("owner"), READY)
_LIBRARY = _EVERYTHING.where(TABLE.c.conversation_id.is_(None))

Row = tuple[UUID, UUID]  # a file's owner and its id


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says to search. `is_past`: it was said earlier, so what is gone since is left out unsaid."""

    file_ids: Sequence[UUID] | None = None
    collection_ids: Sequence[UUID] | None = None
    tags: Mapping[str, Sequence[str]] | None = None
    is_past: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one owner. `file_ids` None: all of them."""

    owner: UUID
    file_ids: Sequence[UUID] | None


@dataclass(frozen=True, slots=True)
class Scope:
    """The ready files that a question searches.

    `tags`: of these files only passages that have them, by their file or their pages. `chosen`: the user named the
    files or put them in the conversation. `is_narrowed`: by collections or tags, so that no file at all is an answer.
    """

    parts: Sequence[Part] = ()
    tags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    chosen: bool = False
    is_narrowed: bool = False

    @classmethod
    def of(cls, owner: UUID, file_ids: Sequence[UUID]) -> "Scope":
        """These files of one owner."""
        return cls([Part(owner, file_ids)])

    @property
    def file_ids(self) -> list[UUID]:
        return [file_id for part in self.parts for file_id in part.file_ids or ()]

    @property
    def is_searched(self) -> bool:
        """Whether there is anything to search, or something was asked for that is not there."""
        return self.is_narrowed or any(part.file_ids for part in self.parts)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a search may find of one owner: whole files, None for all that he has, and of other files some chunks.

    `is_all_ready`: these are all of his that are ready, so that it suffices to leave out the others.
    """

    owner: UUID
    file_ids: Sequence[UUID] | None
    spans: Mapping[UUID, Sequence[Span]] = field(default_factory=dict)
    is_all_ready: bool = False

    @property
    def named(self) -> list[UUID] | None:
        """Every file that something may be found in."""
        return None if self.file_ids is None else [*self.file_ids, *self.spans]

    def only(self, files: Collection[UUID]) -> "Reach | None":
        """What is in these files, None for nothing. Where all of an owner is reached, another's file adds nothing."""
        known = None if self.file_ids is None else set(self.file_ids)
        whole = [file_id for file_id in files if file_id not in self.spans and (known is None or file_id in known)]
        spans = {file_id: self.spans[file_id] for file_id in files if file_id in self.spans}
        return Reach(self.owner, whole, spans) if whole or spans else None


def searched(
    session: Session, reader: UUID, wanted: Wanted, *, conversation_id: UUID | None = None, everywhere: bool = False
) -> Scope:
    """The ready files that a question searches: what it names, else the conversation's, else the library's.

    The library is every file of the user that belongs to no conversation; `everywhere` takes those in too. A
    conversation whose files are still being read does not fall back to it. Raises what `ready` raises, and NotFound
    for a collection.
    """
    tags = wanted.tags or {}
    is_narrowed = bool(tags or wanted.collection_ids or (wanted.is_past and wanted.file_ids))
    if wanted.file_ids is not None or wanted.collection_ids:
        rows = _named(session, reader, wanted)
        return Scope(_parts(session, reader, rows, tags), tags, wanted.file_ids is not None, is_narrowed)
    if conversation_id is not None:
        own, collection_ids = _conversations(session, reader, conversation_id)
        if own or collection_ids:
            rows = [(reader, file_id) for file_id, status in own if status == FileStatus.READY]
            rows += _in_collections(session, reader, collection_ids)
            is_narrowed |= bool(collection_ids)
            return Scope(_parts(session, reader, rows, tags), tags, bool(own), is_narrowed)
    statement = tag_rows.narrowed(_EVERYTHING if everywhere else _LIBRARY, tags)
    found = session.scalars(statement, {"owner": reader}).all()
    return Scope([Part(reader, found)] if found else [], tags, chosen=False, is_narrowed=is_narrowed)


def ready(session: Session, reader: UUID, file_ids: Sequence[UUID], *, is_past: bool = False) -> list[Row]:
    """These files with their owners, each once. Raises NotFound, or Conflict with the states of those that are not
    ready; `is_past` leaves them out instead."""
    wanted = list(dict.fromkeys(file_ids))
    statement = select(TABLE.c.id, TABLE.c.user_id, TABLE.c.name, TABLE.c.status)
    statement = statement.where(among(session, TABLE.c.id, wanted), READABLE_FILE)
    found = {row.id: row for row in session.execute(statement, {"reader": reader})}
    for file_id in wanted:
        if file_id not in found and not is_past:
            raise NotFound(f"there is no file {str(file_id)!r}")
    rows = [found[file_id] for file_id in wanted if file_id in found]
    waiting = [row for row in rows if row.status != FileStatus.READY]
    if waiting and not is_past:
        names = ", ".join(repr(row.name) for row in waiting)
        states = {str(row.id): row.status for row in waiting}
        raise Conflict(f"not ready to be searched: {names}; wait or leave them out", details={"files": states})
    return [(row.user_id, row.id) for row in rows if row.status == FileStatus.READY]


def _named(session: Session, reader: UUID, wanted: Wanted) -> list[Row]:
    rows = [] if wanted.file_ids is None else ready(session, reader, wanted.file_ids, is_past=wanted.is_past)
    collection_ids = wanted.collection_ids or []
    if collection_ids and not wanted.is_past:
        check_collections(session, reader, collection_ids)
    return rows + _in_collections(session, reader, collection_ids)


def check_collections(session: Session, reader: UUID, collection_ids: Collection[UUID]) -> None:
    """Raises NotFound for a collection that the reader may not use."""
    statement = select(COLLECTIONS.c.id).where(COLLECTIONS.c.id.in_(collection_ids), OPEN_COLLECTION)
    known = set(session.scalars(statement, {"reader": reader}))
    for collection_id in collection_ids:
        if collection_id not in known:
            raise NotFound(f"there is no collection {str(collection_id)!r}")


def _conversations(session: Session, owner: UUID, conversation_id: UUID) -> tuple[list[tuple[UUID, str]], list[UUID]]:
    """A conversation's own files that may still be ready, with their states, and its collections."""
    values = {"owner": owner, "conversation_id": conversation_id}
    own = [(file_id, status) for file_id, status in session.execute(_IN_CONVERSATION, values) if status not in GIVEN_UP]
    return own, [UUID(str(one)) for one in session.scalar(_COLLECTIONS_OF, values) or []]


def _in_collections(session: Session, reader: UUID, collection_ids: Collection[UUID]) -> list[Row]:
    """The ready files of those of the collections that the reader may use."""
    if not collection_ids:
        return []
    return [(owner, file_id) for file_id, owner in session.execute(in_collections(collection_ids), {"reader": reader})]


def in_collections(collection_ids: Collection[UUID]) -> Select[UUID, UUID]:
    return (
        select(TABLE.c.id, TABLE.c.user_id)
        .join(MEMBERS, MEMBERS.c.file_id == TABLE.c.id)
        .join(COLLECTIONS, COLLECTIONS.c.id == MEMBERS.c.collection_id)
        .where(COLLECTIONS.c.id.in_(collection_ids), OPEN_COLLECTION, READY)
        .order_by(TABLE.c.created_at, TABLE.c.id)
    )


def _parts(session: Session, reader: UUID, rows: Sequence[Row], tags: Mapping[str, Sequence[str]]) -> list[Part]:
    """By owner, the reader's own first, each file once and only those that have the tags on some page."""
    tagged: Collection[UUID] | None = None
    if tags and rows:
        statement = select(TABLE.c.id).where(among(session, TABLE.c.id, [file_id for _, file_id in rows]))
        tagged = set(session.scalars(tag_rows.narrowed(statement, tags)))
    by_owner: dict[UUID, dict[UUID, None]] = {reader: {}}
    for owner, file_id in rows:
        if tagged is None or file_id in tagged:
            by_owner.setdefault(owner, {})[file_id] = None
    return [Part(owner, list(file_ids)) for owner, file_ids in by_owner.items() if file_ids]
