"""What an upload becomes when all of its bytes are there: a new file, or one that was here already."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from app.core.enums import FileStatus, PageState
from app.core.errors import ValidationFailed
from app.core.tags import placed
from app.crud import collections, files, runs
from app.crud.ownership import get_owned
from app.db.models import Conversation, File, FileTag
from app.db.session import AsyncSession, Database
from app.services.blobs import Stored
from app.services.uploads import Limits, UploadFields

RETRYABLE = {FileStatus.FAILED, FileStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class Received:
    """What an upload is now. `duplicate`: the user's earlier file of the same bytes, which stands for it."""

    file: File
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What came beside the bytes. `key`: under which a repeated upload is the same one."""

    fields: UploadFields
    key: str | None


async def accept(db: Database, limits: Limits, file: File, stored: Stored, asked: Asked) -> Received:
    """The row, in one transaction with all that may refuse it. With a known key: the file it stands for."""
    fields, key = asked.fields, asked.key
    file.conversation_id, file.source_url = fields.conversation_id, fields.source_url
    file.tag_rows = [FileTag(**tag._asdict()) for tag in placed(fields.tags, fields.page_tags)]
    file.size_bytes, file.sha256, file.status = stored.size_bytes, stored.sha256, FileStatus.STORED
    async with db.begin() as session:
        same = await files.same_content(session, file)
        if key is not None and (earlier := await _claim(session, file, (same or file).id, key)) is not None:
            return Received(earlier)
        if same is not None:
            if same.status in RETRYABLE:
                await files.reset(session, same)
            await _collect(session, same, fields.collection_id)
            return Received(same, duplicate=True)
        if fields.conversation_id is not None:
            await get_owned(session, Conversation, fields.conversation_id, file.user_id)
        limits.check_room(used_bytes=await files.used_bytes(session), more_bytes=stored.size_bytes)
        session.add(file)
        await _collect(session, file, fields.collection_id)
    return Received(file)


async def _claim(session: AsyncSession, file: File, target_id: UUID, key: str) -> File | None:
    """None when the key is ours now, else the file it stands for. Raises ValidationFailed, NotFound."""
    body_hash = sha256(f"{file.sha256} {file.name}".encode()).hexdigest()
    taken = await session.run_sync(
        runs.claim_key, user_id=file.user_id, key=key, body_hash=body_hash, target_id=target_id
    )
    if taken is None:
        return None
    if taken.body_hash != body_hash:
        raise ValidationFailed(f"Idempotency-Key {key!r} was used with another file; use a new key for a new upload")
    return await get_owned(session, File, taken.target_id, file.user_id)


def has_unread(file: File) -> bool:
    """Whether a ready file has pages that may be read now, such as scanned ones after Tesseract was installed."""
    found = file.coverage or {}
    return file.status == FileStatus.READY and bool(found.get(PageState.NEEDS_OCR) or found.get(PageState.FAILED))


async def _collect(session: AsyncSession, file: File, collection_id: UUID | None) -> None:
    """Put a file into a collection that its owner may write. Raises what `collections.add_file` raises."""
    if collection_id is not None:
        await session.flush()
        await session.run_sync(collections.add_file, collection_id, file.id, file.user_id)
