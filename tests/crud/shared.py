"""Files, tags and collections as the services leave them, for tests of who finds what."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID, uuid4

from app.core.enums import Access, FileStatus
from app.core.tags import PageTags, placed
from app.crud import chunks, collections, tags
from app.db.models import Chunk, File
from app.db.session import Database


async def make_file(
    db: Database,
    owner: UUID,
    texts: Sequence[str] = ("the apple harvest",),
    *,
    status: FileStatus = FileStatus.READY,
    conversation_id: UUID | None = None,
    overlap: int = 0,
) -> UUID:
    """A file with one chunk a page; with `overlap` each reaches into that many later pages."""
    key = uuid4()
    file = File(id=key, user_id=owner, name="report.pdf", media_type="text/plain", size_bytes=1, sha256="")
    file.status, file.conversation_id, file.pages_total = status, conversation_id, len(texts) + overlap
    rows = [
        Chunk(
            file_id=key,
            user_id=owner,
            ordinal=n,
            page_from=n + 1,
            page_to=n + 1 + overlap,
            char_from=0,
            char_to=len(text),
            text=text,
            fingerprint="test",
        )
        for n, text in enumerate(texts)
    ]
    async with db.begin() as session:
        session.add(file)
        await session.flush()
        await chunks.add(session, rows)
    return key


async def tag(db: Database, file_id: UUID, whole: Mapping[str, object], **pages: Mapping[str, object]) -> None:
    """Tags of a file; `p2_4={...}` are those of pages 2 to 4, `p7={...}` of page 7."""
    on_pages = [PageTags(name[1:].replace("_", "-"), given) for name, given in pages.items()]
    async with db.begin() as session:
        await tags.replace(session, file_id, placed(whole, on_pages))


async def make_collection(db: Database, owner: UUID, *file_ids: UUID, name: str = "Books") -> UUID:
    key = uuid4()
    await db.write(partial(collections.add, owner=owner, id=key, name=name, description=""))
    for file_id in file_ids:
        await db.write(partial(collections.add_file, collection_id=key, file_id=file_id, user_id=owner))
    return key


async def share(
    db: Database, owner: UUID, collection_id: UUID, username: str | None, access: Access = Access.READ
) -> UUID:
    work = partial(collections.share, collection_id=collection_id, owner=owner, username=username, access=access)
    share_id, _ = await db.write(work)
    return share_id
