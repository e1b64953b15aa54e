"""Collections: named sets of files that their owner shares, and that anybody with a share may search and cite."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from app.core.enums import Access
from app.crud import collections, paging
from app.crud.collections import Seen, ShareRow
from app.db.models import File
from app.db.session import Database, Session


@dataclass(frozen=True, slots=True)
class Shared:
    """Who may use a collection. `username` None: everybody."""

    id: UUID
    username: str | None
    access: Access


class Collections:
    """Every method names who asks. What he may not use is not found; what he may use but not change is forbidden."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def create(self, owner: UUID, *, name: str, description: str) -> Seen:
        key = uuid4()
        return await self._db.write(partial(_create, owner=owner, key=key, name=name, description=description))

    async def newest(self, reader: UUID, *, cursor: str | None, limit: int) -> tuple[Sequence[Seen], str | None]:
        """One page of those that the reader may use, and the cursor of the next."""
        after = paging.decode(cursor) if cursor else None
        rows = await self._db.query(partial(collections.page, reader=reader, after=after, limit=limit + 1))
        last = rows[limit - 1] if len(rows) > limit else None
        return rows[:limit], paging.encode(last.created_at, last.id) if last else None

    async def get(self, reader: UUID, collection_id: UUID) -> Seen:
        return await self._db.query(partial(collections.get, collection_id=collection_id, reader=reader))

    async def change(self, owner: UUID, collection_id: UUID, *, name: str | None, description: str | None) -> Seen:
        work = partial(_change, collection_id=collection_id, owner=owner, name=name, description=description)
        return await self._db.write(work)

    async def delete(self, owner: UUID, collection_id: UUID) -> None:
        await self._db.write(partial(collections.remove, collection_id=collection_id, owner=owner))

    async def files(
        self, reader: UUID, collection_id: UUID, *, cursor: str | None, limit: int
    ) -> tuple[Sequence[File], str | None]:
        """One page of its files, newest first, and the cursor of the next."""
        after = paging.decode(cursor) if cursor else None
        ask = partial(collections.files, collection_id=collection_id, reader=reader)
        rows = await self._db.query(partial(ask, after=after, limit=limit + 1))
        last = rows[limit - 1] if len(rows) > limit else None
        return rows[:limit], paging.encode(last.created_at, last.id) if last else None

    async def add_file(self, user_id: UUID, collection_id: UUID, file_id: UUID) -> None:
        work = partial(collections.add_file, collection_id=collection_id, file_id=file_id, user_id=user_id)
        await self._db.write(work)

    async def remove_file(self, user_id: UUID, collection_id: UUID, file_id: UUID) -> None:
        work = partial(collections.remove_file, collection_id=collection_id, file_id=file_id, user_id=user_id)
        await self._db.write(work)

    async def shares(self, owner: UUID, collection_id: UUID) -> list[Shared]:
        rows: Sequence[ShareRow] = await self._db.query(
            partial(collections.shares, collection_id=collection_id, owner=owner)
        )
        return [Shared(share_id, name, Access(access)) for share_id, name, access in rows]

    async def share(self, owner: UUID, collection_id: UUID, *, username: str | None, access: Access) -> Shared:
        """Raises NotFound for an unknown user."""
        work = partial(collections.share, collection_id=collection_id, owner=owner, username=username, access=access)
        share_id, name = await self._db.write(work)
        return Shared(share_id, name, access)

    async def unshare(self, owner: UUID, collection_id: UUID, share_id: UUID) -> None:
        """Nobody finds or opens anything by this share any more when this returns."""
        work = partial(collections.unshare, collection_id=collection_id, share_id=share_id, owner=owner)
        await self._db.write(work)


def _create(session: Session, *, owner: UUID, key: UUID, name: str, description: str) -> Seen:
    collections.add(session, owner, id=key, name=name, description=description)
    return collections.get(session, key, owner)


def _change(session: Session, *, owner: UUID, collection_id: UUID, name: str | None, description: str | None) -> Seen:
    collections.change(session, collection_id, owner, name=name, description=description)
    return collections.get(session, collection_id, owner)
