"""Tags of a user's files and of their pages: set and counted."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

from app.core.tags import PageTags, placed
from app.crud import scope, tags
from app.crud.sharing import get_own_file
from app.db.models import File
from app.db.session import Database, Session


class FileTags:
    """Tags are their file's owner's; who may read a file may search by them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def replace(
        self, owner: UUID, file_id: UUID, given: Mapping[str, object], page_tags: Sequence[PageTags]
    ) -> File:
        """All tags of a file. Raises NotFound, Forbidden or ValidationFailed: also for pages that it does not have."""
        async with self._db.begin() as session:
            file = await get_own_file(session, file_id, owner)
            await tags.replace(session, file_id, placed(given, page_tags, last_page=file.pages_total))
            await session.refresh(file, ["tag_rows"])
        return file

    async def counts(self, reader: UUID, collection_id: UUID | None = None) -> dict[str, list[tuple[str, int]]]:
        """The values of each key with the number of files, of the reader's own or of a collection's."""
        found: dict[str, list[tuple[str, int]]] = {}
        for key, value, files in await self._db.query(partial(_counts, reader=reader, collection_id=collection_id)):
            found.setdefault(key, []).append((value, files))
        return found


def _counts(session: Session, *, reader: UUID, collection_id: UUID | None) -> list[tuple[str, str, int]]:
    if collection_id is not None:
        scope.check_collections(session, reader, [collection_id])
    return tags.counts(session, reader, collection_id)
