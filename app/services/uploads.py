"""What an upload must be: small enough, of a type that can be read, under a name that is no path."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from app.core.errors import StorageFull, ValidationFailed
from app.core.tags import PageTags
from app.rag.sniff import SNIFF_BYTES, media_type, stored_type
from app.services.blobs import too_large

MAX_NAME_CHARS = 255
FORM_BYTES = 1 << 16  # what a form may have around the file's bytes
UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


@dataclass(frozen=True, slots=True)
class UploadFields:
    """What comes beside the bytes, maybe after them."""

    conversation_id: UUID | None = None
    tags: Mapping[str, object] = field(default_factory=dict)
    source_url: str | None = None

    async def soon(self) -> "UploadFields":
        """Itself, where what asks must wait for the fields of a form."""
        return self

    page_tags: Sequence[PageTags] = ()
    collection_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    quota_bytes: int | None

    def check_declared(self, content_length: int | None) -> None:
        """Refuse by what the client says, before the first byte. Raises TooLarge."""
        if content_length is not None and content_length > self.max_bytes + FORM_BYTES:
            raise too_large(self.max_bytes)

    def check_room(self, *, used_bytes: int, more_bytes: int, free_bytes: int | None = None) -> None:
        """Raises StorageFull."""
        if self.quota_bytes is not None and used_bytes + more_bytes > self.quota_bytes:
            raise StorageFull(
                f"the storage is full: {self.quota_bytes >> 20} MB are allowed (STORAGE_QUOTA_MB); delete files first",
                details={"used_bytes": used_bytes, "quota_bytes": self.quota_bytes},
            )
        if free_bytes is not None and more_bytes > free_bytes:
            raise StorageFull("the disk is full; delete files or ask the administrator for space")


class Sniffed:
    """A stream whose type its first bytes tell, or the whole of it. `source` gives all of them again."""

    def __init__(self, media_type: str, name: str, head: bytes, rest: AsyncIterator[bytes]) -> None:
        self._media_type = media_type
        self._name = name
        self._head = head
        self._rest = rest

    @classmethod
    async def of(cls, source: AsyncIterator[bytes], name: str) -> "Sniffed":
        """Raises UnsupportedType, or ValidationFailed for an empty file."""
        head = b""
        async for data in source:
            head += data
            if len(head) >= SNIFF_BYTES:
                break
        if not head:
            raise ValidationFailed("the file is empty; choose one with content")
        return cls(media_type(head[:SNIFF_BYTES], name), name, head, source)

    async def media_type(self, path: Path) -> str:
        """Of the file as it was stored at `path`. Raises UnsupportedType for an archive of anything else."""
        return await asyncio.to_thread(stored_type, self._media_type, path, self._name)

    async def source(self) -> AsyncIterator[bytes]:
        yield self._head
        async for data in self._rest:
            yield data


def clean_name(name: str) -> str:
    """The last part of a path from any system, printable and at most 255 characters with its ending kept."""
    base = name.replace("\\", "/").rpartition("/")[2]
    text = unicodedata.normalize("NFC", base)
    text = "".join(c for c in text if unicodedata.category(c) not in UNPRINTABLE).strip()
    if text.strip(".") == "":
        return "file"
    stem, dot, suffix = text.rpartition(".")
    if len(text) > MAX_NAME_CHARS and dot and len(suffix) <= 16:
        return stem[: MAX_NAME_CHARS - len(suffix) - 1] + dot + suffix
    return text[:MAX_NAME_CHARS]
