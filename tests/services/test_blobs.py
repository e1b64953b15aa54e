"""Blobs: stored whole and counted, or nothing is left behind."""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.errors import StorageFull, TooLarge, ValidationFailed
from app.services.blobs import BlobKey, Blobs

MB = 1 << 20
AT_ONCE = timedelta(0)


@pytest.fixture
def key() -> BlobKey:
    return BlobKey(uuid4(), uuid4())


def left_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def breaking(part: bytes, error: Exception) -> AsyncIterator[bytes]:
    yield part
    raise error


async def test_what_was_put_is_there_with_its_size_and_hash(tmp_path: Path, key: BlobKey) -> None:
    data = os.urandom(3 * MB + 17)
    stored = await Blobs(tmp_path).put(key, pieces(data[:10], data[10 : 2 * MB], data[2 * MB :]), max_bytes=4 * MB)
    assert (stored.size_bytes, stored.sha256) == (len(data), sha256(data).hexdigest())
    assert Blobs(tmp_path).path(key).read_bytes() == data


async def test_exactly_the_limit_is_allowed_and_one_byte_more_is_not(tmp_path: Path, key: BlobKey) -> None:
    blobs = Blobs(tmp_path)
    await blobs.put(key, pieces(b"x" * MB), max_bytes=MB)
    with pytest.raises(TooLarge, match="larger than 1 MB"):
        await blobs.put(BlobKey(key.owner, uuid4()), pieces(b"x" * MB, b"y"), max_bytes=MB)
    assert left_in(tmp_path) == [blobs.path(key)]


async def test_a_refused_or_broken_stream_leaves_nothing(tmp_path: Path, key: BlobKey) -> None:
    blobs = Blobs(tmp_path)
    with pytest.raises(TooLarge):
        await blobs.put(key, pieces(*[b"x" * MB] * 9), max_bytes=8 * MB)
    with pytest.raises(ValidationFailed, match="empty"):
        await blobs.put(key, pieces(), max_bytes=MB)
    with pytest.raises(KeyError):
        await blobs.put(key, breaking(b"x" * 7 * MB, KeyError("source")), max_bytes=8 * MB)
    with pytest.raises(StorageFull, match="disk is full"):
        await blobs.put(key, breaking(b"x" * 7 * MB, OSError(28, "No space left on device")), max_bytes=8 * MB)
    assert left_in(tmp_path) == []


async def test_a_cancelled_put_leaves_nothing(tmp_path: Path, key: BlobKey) -> None:
    blobs = Blobs(tmp_path)
    stuck = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 7 * MB
        stuck.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(blobs.put(key, endless(), max_bytes=8 * MB))
    await stuck.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    async with asyncio.timeout(10):
        while left_in(tmp_path):  # noqa: ASYNC110 - the store aborts in a thread of its own
            await asyncio.sleep(0.01)


async def test_delete_is_idempotent_and_leaves_other_files(tmp_path: Path, key: BlobKey) -> None:
    blobs = Blobs(tmp_path)
    other = BlobKey(key.owner, uuid4())
    for each in (key, other):
        await blobs.put(each, pieces(b"same bytes"), max_bytes=MB)
    await blobs.delete(key)
    await blobs.delete(key)
    assert not await blobs.exists(key)
    assert await blobs.exists(other)


async def test_old_blobs_are_listed_and_unfinished_writes_removed(tmp_path: Path, key: BlobKey) -> None:
    blobs = Blobs(tmp_path)
    await blobs.put(key, pieces(b"x"), max_bytes=MB)
    cut_off = blobs.path(key).with_name(f"{uuid4()}#1")
    cut_off.write_bytes(b"half")
    (tmp_path / "stranger").write_bytes(b"not ours")
    assert [found.key for found in await blobs.older_than(AT_ONCE)] == [key]
    assert await blobs.older_than(timedelta(hours=1)) == []
    await blobs.delete_unfinished(timedelta(hours=1))
    assert cut_off.exists()
    await blobs.delete_unfinished(AT_ONCE)
    assert not cut_off.exists()
    assert await blobs.exists(key)
