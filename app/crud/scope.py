"""Which files a question searches."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.core.errors import Conflict, NotFound
from app.db.base import table_of
from app.db.models import File

TABLE = table_of(File)
GIVEN_UP = {FileStatus.FAILED, FileStatus.CANCELLED}
# The hot path asks this for every question: statements are made once.
_IN_CONVERSATION = select(TABLE.c.id, TABLE.c.status).where(
    TABLE.c.user_id == bindparam("owner"), TABLE.c.conversation_id == bindparam("conversation_id")
)
_LIBRARY = select(TABLE.c.id).where(
    TABLE.c.user_id == bindparam("owner"),
    TABLE.c.conversation_id.is_(None),
    TABLE.c.status == bindparam("status", FileStatus.READY),
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The ready files that a question searches. `chosen`: the user named them or put them in the conversation."""

    file_ids: Sequence[UUID]
    chosen: bool


def searched(session: Session, owner: UUID, conversation_id: UUID | None, file_ids: Sequence[UUID] | None) -> Scope:
    """The ready files that a question searches: the named ones, else the conversation's, else the library's.

    The library is every file of the user that belongs to no conversation. A conversation whose files are still
    being read does not fall back to it. Empty: there is nothing to search. Raises what `ready` raises.
    """
    if file_ids is not None:
        return Scope(ready(session, owner, file_ids), chosen=True)
    if conversation_id is not None:
        rows = session.execute(_IN_CONVERSATION, {"owner": owner, "conversation_id": conversation_id}).all()
        own = [(file_id, status) for file_id, status in rows if status not in GIVEN_UP]
        if own:
            return Scope([file_id for file_id, status in own if status == FileStatus.READY], chosen=True)
    return Scope(session.scalars(_LIBRARY, {"owner": owner}).all(), chosen=False)


def ready(session: Session, owner: UUID, file_ids: Sequence[UUID]) -> Sequence[UUID]:
    """These files, each once. Raises NotFound, or Conflict with the states of those that are not ready."""
    wanted = list(dict.fromkeys(file_ids))
    rows = session.execute(
        select(TABLE.c.id, TABLE.c.name, TABLE.c.status).where(TABLE.c.user_id == owner, TABLE.c.id.in_(wanted))
    ).all()
    found = {row.id for row in rows}
    for file_id in wanted:
        if file_id not in found:
            raise NotFound(f"there is no file {str(file_id)!r}")
    waiting = [row for row in rows if row.status != FileStatus.READY]
    if waiting:
        names = ", ".join(repr(row.name) for row in waiting)
        states = {str(row.id): row.status for row in waiting}
        raise Conflict(f"not ready to be searched: {names}; wait or leave them out", details={"files": states})
    return wanted
