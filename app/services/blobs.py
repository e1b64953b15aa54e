"""Uploaded files as they came, one object per file, named `<owner>/<file id>`: the same bytes twice are two objects,
so that deleting one never touches the other.

The blob is written before its row and removed after it: a blob without a row is an upload that was never
acknowledged, or a file whose removal is not finished.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from app.core.errors import StorageFull, TooLarge, ValidationFailed

PIECE_BYTES = 1 << 20  # what is hashed and handed to the store at once
MAX_PIECES = 4  # of one upload in memory
FULL = ("os error 28", "os error 122")  # ENOSPC, EDQUOT


@dataclass(frozen=True, slots=True)
class BlobKey:
    owner: UUID
    file_id: UUID

    def __str__(self) -> str:
        return f"{self.owner}/{self.file_id}"


@dataclass(frozen=True, slots=True)
class Stored:
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Found:
    key: BlobKey
    stored_at: datetime


class Blobs:
    """A folder of blobs. `path` gives a local path, which is what a parser needs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._store = LocalStore(self._folder, automatic_cleanup=True)

    async def put(self, key: BlobKey, source: AsyncIterator[bytes], *, max_bytes: int) -> Stored:
        """Store the stream, on disk for good when this returns.

        Raises TooLarge, ValidationFailed (empty), StorageFull, or what `source` raised; then nothing is left behind.
        """
        counted = _Counted(source, max_bytes)
        try:
            await obstore.put_async(
                self._store, str(key), counted.pieces(), chunk_size=PIECE_BYTES, max_concurrency=MAX_PIECES
            )
            await asyncio.to_thread(_sync, self.path(key))
        except (BaseError, OSError) as error:
            await self.delete(key)
            if any(code in str(error).lower() for code in FULL) or getattr(error, "errno", None) in {28, 122}:
                raise StorageFull("the disk is full; delete files or ask the administrator for space") from error
            raise
        except asyncio.CancelledError:
            await self.delete(key)
            raise
        return Stored(counted.size, counted.digest.hexdigest())

    def path(self, key: BlobKey) -> Path:
        return self._folder / str(key)

    async def delete(self, key: BlobKey) -> None:
        """Idempotent."""
        try:
            await obstore.delete_async(self._store, str(key))
        except FileNotFoundError:
            return

    async def exists(self, key: BlobKey) -> bool:
        return await asyncio.to_thread(self.path(key).exists)

    async def older_than(self, age: timedelta) -> list[Found]:
        """Every blob that was stored at least `age` ago."""
        limit = datetime.now(UTC) - age
        found: list[Found] = []
        async for batch in obstore.list(self._store):
            found += [Found(key, b["last_modified"]) for b in batch if (key := _key(b["path"])) is not None]
        return [f for f in found if f.stored_at <= limit]

    async def delete_unfinished(self, age: timedelta) -> None:
        """Remove what a killed process left of its writes (`<name>#<number>`, which listing does not show)."""
        await asyncio.to_thread(self._delete_unfinished, (datetime.now(UTC) - age).timestamp())

    def _delete_unfinished(self, before: float) -> None:
        for path in self._folder.glob("*/*#*"):
            try:
                if path.stat().st_mtime <= before:
                    path.unlink()
            except FileNotFoundError:
                continue

    async def free_bytes(self) -> int:
        return (await asyncio.to_thread(shutil.disk_usage, self._folder)).free


class _Counted:
    """Cuts a stream into pieces, counts and hashes them, and refuses what is too much or nothing at all."""

    def __init__(self, source: AsyncIterator[bytes], max_bytes: int) -> None:
        self.size = 0
        self.digest = sha256()
        self._source = source
        self._max_bytes = max_bytes

    async def pieces(self) -> AsyncIterator[bytes]:
        held = bytearray()
        async for data in self._source:
            self.size += len(data)
            if self.size > self._max_bytes:
                raise too_large(self._max_bytes)
            held += data
            if len(held) >= PIECE_BYTES:
                yield await self._hashed(held)
                held = bytearray()
        if self.size == 0:
            raise ValidationFailed("the file is empty; choose one with content")
        if held:
            yield await self._hashed(held)

    async def _hashed(self, held: bytearray) -> bytes:
        piece = bytes(held)
        await asyncio.to_thread(self.digest.update, piece)
        return piece


def too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        f"the file is larger than {max_bytes >> 20} MB, the most that one file may have (MAX_FILESIZE_MB)",
        details={"max_bytes": max_bytes},
    )


def _key(path: str) -> BlobKey | None:
    owner, _, file_id = path.partition("/")
    try:
        return BlobKey(UUID(owner), UUID(file_id))
    except ValueError:
        return None


def _sync(path: Path) -> None:
    """A file is on disk for good when it and its folder's entry are."""
    for target in (path, path.parent):
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
