"""Collections in the rows: rights, limits, and what is cleaned up with what."""

from functools import partial
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select

from app.core.enums import Access
from app.core.errors import Conflict, Forbidden, NotFound, ValidationFailed
from app.crud import collections, tags
from app.db.models import CollectionFile, CollectionShare, FileTag, User
from app.db.session import Database, Session
from tests.crud.rows import make_conversation, make_user
from tests.crud.shared import make_collection, make_file, share, tag


async def seen(db: Database, reader: UUID) -> list[tuple[UUID, Access, int]]:
    rows = await db.query(partial(collections.page, reader=reader, after=None, limit=100))
    return [(row.id, row.access, row.files_total) for row in rows]


async def test_everybody_sees_what_he_may_use_with_the_widest_access(db: Database) -> None:
    ann, bob, eve = [await make_user(db, name) for name in ("ann", "bob", "eve")]
    first, second = await make_collection(db, ann, await make_file(db, ann)), await make_collection(db, ann)
    await share(db, ann, first, "bob", Access.WRITE)
    everybody = await share(db, ann, first, None)
    assert await seen(db, ann) == [(second, Access.OWNER, 0), (first, Access.OWNER, 1)]
    assert await seen(db, bob) == [(first, Access.WRITE, 1)]
    assert await seen(db, eve) == [(first, Access.READ, 1)]
    assert await share(db, ann, first, None, Access.WRITE) == everybody, "the same share, changed"
    assert await seen(db, eve) == [(first, Access.WRITE, 1)]
    await db.write(partial(collections.unshare, collection_id=first, share_id=everybody, owner=ann))
    assert await seen(db, eve) == []
    listed = await db.query(partial(collections.shares, collection_id=first, owner=ann))
    assert [(name, access) for _, name, access in listed] == [("bob", "write")]


async def test_who_may_do_what(db: Database) -> None:
    ann, bob, eve, odd = [await make_user(db, name) for name in ("ann", "bob", "eve", "odd")]
    file, bobs, eves = await make_file(db, ann), await make_file(db, bob), await make_file(db, eve)
    books = await make_collection(db, ann, file)
    await share(db, ann, books, "bob", Access.WRITE)
    await share(db, ann, books, "eve")
    add = partial(collections.add_file, collection_id=books)
    take = partial(collections.remove_file, collection_id=books)
    with pytest.raises(Forbidden, match="shared with you to be read"):
        await db.write(partial(add, file_id=eves, user_id=eve))
    for user, error in ((odd, NotFound), (eve, Forbidden)):
        with pytest.raises(error):
            await db.write(partial(take, file_id=file, user_id=user))
    for stranger_to_it in (file, eves):
        with pytest.raises((NotFound, Forbidden)):
            await db.write(partial(add, file_id=stranger_to_it, user_id=bob))
    await db.write(partial(add, file_id=bobs, user_id=bob))
    await db.write(partial(add, file_id=bobs, user_id=bob))
    assert (await seen(db, eve)) == [(books, Access.READ, 2)]
    await db.write(partial(take, file_id=file, user_id=bob))
    for user, error in ((bob, Forbidden), (eve, Forbidden), (odd, NotFound)):
        for work in (
            partial(collections.change, collection_id=books, owner=user, name="mine", description=None),
            partial(collections.remove, collection_id=books, owner=user),
            partial(collections.shares, collection_id=books, owner=user),
            partial(collections.share, collection_id=books, owner=user, username=None, access=Access.READ),
            partial(collections.unshare, collection_id=books, share_id=books, owner=user),
        ):
            with pytest.raises(error):
                await db.write(work)
    with pytest.raises(NotFound, match="no user 'nobody'"):
        await share(db, ann, books, "nobody")
    with pytest.raises(ValidationFailed, match="yours already"):
        await share(db, ann, books, "Ann")


async def test_a_file_can_be_taken_back_without_any_access(db: Database) -> None:
    ann, bob = await make_user(db, "ann"), await make_user(db, "bob")
    books, bobs = await make_collection(db, ann), await make_file(db, bob)
    share_id = await share(db, ann, books, "bob", Access.WRITE)
    await db.write(partial(collections.add_file, collection_id=books, file_id=bobs, user_id=bob))
    await db.write(partial(collections.unshare, collection_id=books, share_id=share_id, owner=ann))
    await db.write(partial(collections.remove_file, collection_id=books, file_id=bobs, user_id=bob))
    assert await seen(db, ann) == [(books, Access.OWNER, 0)]
    with pytest.raises(NotFound, match="no collection"):
        await db.write(partial(collections.remove_file, collection_id=books, file_id=bobs, user_id=bob))


async def test_a_conversations_file_is_no_collections(db: Database) -> None:
    ann = await make_user(db)
    file = await make_file(db, ann, conversation_id=await make_conversation(db, ann))
    with pytest.raises(Conflict, match="belongs to a conversation"):
        await make_collection(db, ann, file)


async def test_nothing_is_left_of_a_user_a_file_or_a_collection(db: Database) -> None:
    ann, bob = await make_user(db, "ann"), await make_user(db, "bob")
    anns, bobs = await make_file(db, ann), await make_file(db, bob)
    await tag(db, anns, {"a": 1}, p1={"b": 2})
    books = await make_collection(db, ann, anns)
    await share(db, ann, books, "bob", Access.WRITE)
    await db.write(partial(collections.add_file, collection_id=books, file_id=bobs, user_id=bob))
    await db.write(partial(_delete_user, user_id=bob))
    assert await counted(db) == (1, 0, 2)
    assert await seen(db, ann) == [(books, Access.OWNER, 1)]
    other = await make_collection(db, ann, anns)
    await db.write(partial(collections.remove, collection_id=other, owner=ann))
    assert await counted(db) == (1, 0, 2)
    await db.write(partial(_delete_user, user_id=ann))
    assert await counted(db) == (0, 0, 0)


def _delete_user(session: Session, user_id: UUID) -> None:
    session.execute(delete(User).where(User.id == user_id))


async def counted(db: Database) -> tuple[int, int, int]:
    async with db.read() as session:
        kinds = (CollectionFile, CollectionShare, FileTag)
        files, shares, tag_rows = [await session.scalar(select(func.count()).select_from(kind)) or 0 for kind in kinds]
        return files, shares, tag_rows


async def test_tags_are_counted_by_files(db: Database) -> None:
    ann, bob = await make_user(db, "ann"), await make_user(db, "bob")
    one, two, bobs = await make_file(db, ann), await make_file(db, ann), await make_file(db, bob)
    await tag(db, one, {"grade": [5, 6]}, p1={"grade": 5, "kind": "exam"}, p3={"grade": 5})
    await tag(db, two, {"grade": 5})
    await tag(db, bobs, {"grade": 7})
    books = await make_collection(db, ann, two)
    count = partial(tags.counts, owner=ann)
    assert await db.query(count) == [("grade", "5", 2), ("grade", "6", 1), ("kind", "exam", 1)]
    assert await db.query(partial(count, collection_id=books)) == [("grade", "5", 1)]
    assert await db.query(partial(tags.counts, owner=bob, collection_id=books)) == []
