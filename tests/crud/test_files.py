"""Lists of files by cursor, their pages, and the fence around an attempt."""

from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest

from app.core.enums import FileStatus, Role
from app.core.errors import NotFound, ValidationFailed
from app.crud import files, users
from app.crud.ownership import get_owned
from app.db.base import now
from app.db.models import File, FilePage
from app.db.session import Database, Session


def add_user(session: Session, name: str) -> UUID:
    return users.create(session, username=name, email=None, password_hash="-", role=Role.USER).id


async def user(db: Database) -> UUID:
    async with db.begin() as session:
        return await session.run_sync(add_user, uuid4().hex)


def new_file(owner: UUID, name: str = "a.txt", status: FileStatus = FileStatus.STORED) -> File:
    return File(
        id=uuid4(),
        user_id=owner,
        name=name,
        media_type="text/plain",
        size_bytes=7,
        sha256="-",
        status=status,
        attempt=1,
    )


async def test_pages_of_a_list_show_each_file_once_also_at_the_same_instant(db: Database) -> None:
    owner, other = await user(db), await user(db)
    at = now()
    rows = [new_file(owner, f"{n}.txt") for n in range(7)]
    for n, row in enumerate(rows):
        row.created_at = at - timedelta(microseconds=n // 3)
    async with db.begin() as session:
        session.add_all([*rows, new_file(other)])
    seen: list[UUID] = []
    cursor: str | None = None
    for _ in range(9):
        async with db.read() as session:
            found, cursor = await files.newest(session, owner, files.Filter(), limit=2, cursor=cursor)
        seen += [file.id for file in found]
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == {row.id for row in rows}
    assert seen == [row.id for row in sorted(rows, key=lambda r: (r.created_at, r.id), reverse=True)]


@pytest.mark.parametrize("cursor", ["", "x", "é", "MjAyNi0xMS0yMA", "MjAyNi0xMS0yMFQwMDowMDowMCB4"])
async def test_a_cursor_that_no_list_gave_is_refused(sqlite_db: Database, cursor: str) -> None:
    async with sqlite_db.read() as session:
        with pytest.raises(ValidationFailed, match="cursor="):
            await files.newest(session, uuid4(), files.Filter(), limit=2, cursor=cursor)


async def test_an_attempt_moves_on_only_while_it_is_the_current_one(db: Database) -> None:
    row = new_file(await user(db))
    async with db.begin() as session:
        session.add(row)
    async with db.begin() as session:
        moved = await files.advance(session, row.id, 1, {"status": FileStatus.PARSING, "pages_done": 3})
        assert moved is not None
        assert (moved.status, moved.pages_done) == (FileStatus.PARSING, 3)
        assert await files.advance(session, row.id, 2, {"pages_done": 4}) is None
        assert await files.advance(session, uuid4(), 1, {"pages_done": 4}) is None
    async with db.begin() as session:
        assert await files.advance(session, row.id, 1, {"status": FileStatus.CANCELLED}) is not None
        assert await files.advance(session, row.id, 1, {"status": FileStatus.READY}) is None


async def test_stored_pages_say_where_the_next_one_begins(db: Database) -> None:
    row = new_file(await user(db))
    async with db.begin() as session:
        session.add(row)
    async with db.begin() as session:
        assert await files.page_count(session, row.id) == files.PageCount(0, 0, 0)
        session.add_all(
            [
                FilePage(file_id=row.id, number=1, char_from=0, text="ab\N{GRINNING FACE}"),
                FilePage(file_id=row.id, number=2, char_from=4, text=""),
            ]
        )
    async with db.read() as session:
        assert await files.page_count(session, row.id) == files.PageCount(2, 2, 5)
        assert await files.pages(session, row.id) == [(1, "ab\N{GRINNING FACE}"), (2, "")]
    async with db.begin() as session:
        await files.delete_row(session, row.id)
        assert await files.page_count(session, row.id) == files.PageCount(0, 0, 0)


async def test_the_storage_in_use_is_the_sum_of_all_files(db: Database) -> None:
    async with db.read() as session:
        assert await files.used_bytes(session) == 0
    rows = [new_file(await user(db)) for _ in range(3)]
    async with db.begin() as session:
        session.add_all(rows)
    async with db.read() as session:
        assert await files.used_bytes(session) == 21


async def test_another_users_row_is_not_found(db: Database) -> None:
    owner, other = await user(db), await user(db)
    row = new_file(owner)
    async with db.begin() as session:
        session.add(row)
    async with db.read() as session:
        assert (await get_owned(session, File, row.id, owner)).id == row.id
        for user_id, file_id in ((other, row.id), (owner, uuid4())):
            with pytest.raises(NotFound, match=f"there is no file '{file_id}'"):
                await get_owned(session, File, file_id, user_id)


async def test_files_of_another_embedder_are_counted_and_listed(db: Database) -> None:
    owner, other = await user(db), await user(db)
    kinds = ["a_b@3|1|1000", "aXb@3|1|1000", "A_B@3|1|1000", "a_b@33|1|1000", None]
    async with db.begin() as session:
        for kind in kinds:
            file = new_file(owner, str(kind), FileStatus.READY)
            file.fingerprint = kind
            session.add(file)
        failed, foreign = new_file(owner, "failed", FileStatus.FAILED), new_file(other, "foreign", FileStatus.READY)
        failed.fingerprint = foreign.fingerprint = "aXb@3|1|1000"
        session.add_all([failed, foreign])
    assert await db.query(partial(files.ready_counts, embedder="a_b@3")) == (6, 5)
    async with db.read() as session:
        listed, _ = await files.newest(session, owner, files.Filter(not_of="a_b@3"), limit=9, cursor=None)
    assert {file.name for file in listed} == {str(kind) for kind in kinds[1:]}
