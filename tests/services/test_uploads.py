"""Uploads: refused ones leave nothing, a key stands for one of them, and a name is never a path."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from app.core.errors import AppError, NotFound, StorageFull, TooLarge, UnsupportedType, ValidationFailed
from app.crud import files
from app.db.session import Database
from app.services.uploads import clean_name
from tests.documents import zip_of
from tests.services.library import Library, blobs_of, conversation, prose, running

TEXT = prose(30).encode()


async def refused(library: Library, owner: UUID, error: type[AppError], data: bytes, **options: object) -> str:
    with pytest.raises(error) as caught:
        await library.upload(owner, data, **options)  # type: ignore[arg-type]
    assert await blobs_of(library) == set()
    assert (await library.documents.newest(owner, files.Filter(), limit=10, cursor=None))[0] == []
    return caught.value.message


async def test_what_is_refused_leaves_nothing(library: Library) -> None:
    owner, other = await library.user(), await library.user()
    foreign = await conversation(library, other)
    assert "4 MB" in await refused(library, owner, TooLarge, b"x" * ((4 << 20) + 1))
    assert "empty" in await refused(library, owner, ValidationFailed, b"")
    assert "PDF" in await refused(library, owner, UnsupportedType, b"\x89PNG\r\n\x1a\n" + bytes(99), name="a.pdf.png")
    await refused(library, owner, NotFound, TEXT, conversation_id=foreign)


async def test_an_archive_is_known_by_what_is_stored_and_office_files_by_what_they_hold(library: Library) -> None:
    owner = await library.user()
    picture = {"picture.jpeg": bytes(20_000)}  # longer than what the first bytes show
    message = await refused(library, owner, UnsupportedType, zip_of(picture), name="all.zip")
    assert "a ZIP archive" in message
    assert "unpack it" in message
    mimetype = {"mimetype": b"application/vnd.oasis.opendocument.text"}
    text = {"content.xml": b"<x><p>These are the words of a letter.</p></x>"}
    file = await library.ready(owner, zip_of(picture | mimetype | text), name="letter.bin")
    assert file.media_type == "application/vnd.oasis.opendocument.text"


async def test_the_storage_quota_counts_all_files(sqlite_db: Database, tmp_path: Path) -> None:
    async with running(Library(sqlite_db, tmp_path, quota_bytes=1 << 20)) as library:
        owner = await library.user()
        first = await library.ready(owner, b"word " * 100_000)
        with pytest.raises(StorageFull, match="1 MB are allowed"):
            await library.upload(owner, b"word " * 150_000)
        assert await blobs_of(library) == {first.id}
        await library.documents.delete(owner, first.id)
        await library.ready(owner, b"word " * 150_000)


async def test_a_client_that_goes_away_leaves_nothing(library: Library) -> None:
    owner = await library.user()

    async def broken() -> AsyncIterator[bytes]:
        yield TEXT * 4
        raise ValidationFailed("the upload was cut off")

    with pytest.raises(ValidationFailed):
        await library.documents.upload(owner, "a.txt", broken(), fields=no_fields)
    assert await blobs_of(library) == set()


async def no_fields() -> None:  # pragma: no cover - never reached
    raise AssertionError


async def test_a_key_stands_for_one_upload(library: Library) -> None:
    owner, other = await library.user(), await library.user()
    first = await library.upload(owner, TEXT, key="k")
    again = await library.upload(owner, TEXT, key="k")
    assert again.id == first.id
    assert await blobs_of(library) == {first.id}
    for changed in ({"data": TEXT + b"!"}, {"data": TEXT, "name": "other.txt"}):
        with pytest.raises(ValidationFailed, match="'k' was used with another file"):
            await library.upload(owner, key="k", **changed)  # type: ignore[arg-type]
    assert await blobs_of(library) == {first.id}
    assert (await library.upload(other, TEXT, key="k")).id != first.id


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\Report.pdf", "Report.pdf"),
        ("a\0b\r\n\x1b[31m.txt", "ab[31m.txt"),
        ("safe\u202etxt.exe", "safetxt.exe"),
        ("..", "file"),
        ("", "file"),
        ("/", "file"),
        ("über Straße.txt", "über Straße.txt"),
        ("x" * 300 + ".pdf", "x" * 251 + ".pdf"),
    ],
)
def test_a_name_is_never_a_path(given: str, kept: str) -> None:
    assert clean_name(given) == kept
