"""What a question searches, for whom, on both databases."""

from functools import partial
from uuid import UUID, uuid4

import pytest

from app.core.enums import Access, FileStatus
from app.core.errors import Conflict, NotFound
from app.crud import chunks, collections, conversations, scope, sharing, tags
from app.crud.scope import Part, Reach, Scope, Wanted
from app.db.session import Database, Session
from tests.crud.rows import make_conversation, make_user
from tests.crud.shared import make_collection, make_file, share, tag


async def searched(
    db: Database, reader: UUID, wanted: Wanted, *, conversation_id: UUID | None = None, everywhere: bool = False
) -> Scope:
    ask = partial(scope.searched, reader=reader, wanted=wanted, conversation_id=conversation_id)
    return await db.query(partial(ask, everywhere=everywhere))


async def test_readers_search_what_is_shared_and_nobody_else(db: Database) -> None:
    ann, bob, eve = [await make_user(db, name) for name in ("ann", "bob", "eve")]
    one, two, unready, secret = [await make_file(db, ann) for _ in range(4)]
    books = await make_collection(db, ann, one, two, unready)
    share_id = await share(db, ann, books, "BOB", Access.WRITE)
    bobs = await make_file(db, bob)
    await db.write(partial(collections.add_file, collection_id=books, file_id=bobs, user_id=bob))
    await db.write(partial(_set_status, file_id=unready, status=FileStatus.FAILED))
    wanted = Wanted(collection_ids=[books])
    for reader, parts in ((ann, [(ann, {one, two}), (bob, {bobs})]), (bob, [(bob, {bobs}), (ann, {one, two})])):
        found = await searched(db, reader, wanted)
        assert [(part.owner, set(part.file_ids or ())) for part in found.parts] == parts
        assert (found.chosen, found.is_searched) == (False, True)
    with pytest.raises(NotFound, match=f"no collection '{books}'"):
        await searched(db, eve, wanted)
    assert (await searched(db, bob, Wanted([two]))).parts == [Part(ann, [two])]
    for reader, file_id in ((bob, secret), (eve, two)):
        with pytest.raises(NotFound, match=f"no file '{file_id}'"):
            await searched(db, reader, Wanted([file_id]))
    with pytest.raises(Conflict, match="not ready"):
        await searched(db, bob, Wanted([unready]))
    assert set((await searched(db, bob, Wanted([two], [books]))).file_ids) == {one, two, bobs}
    assert (await searched(db, bob, Wanted())).file_ids == [bobs], "the library is one's own"
    await db.write(partial(collections.unshare, collection_id=books, share_id=share_id, owner=ann))
    with pytest.raises(NotFound):
        await searched(db, bob, wanted)
    past = await searched(db, bob, Wanted([two, bobs], [books], is_past=True))
    assert past.parts == [Part(bob, [bobs])]
    await share(db, ann, books, None)
    everybodys = await searched(db, eve, wanted)
    assert [part.owner for part in everybodys.parts] == [ann, bob]
    assert set(everybodys.file_ids) == {one, two, bobs}


def _set_status(session: Session, file_id: UUID, status: FileStatus) -> None:
    sharing.find_own_file(session, file_id, _owner_of(session, file_id)).status = status


def _owner_of(session: Session, file_id: UUID) -> UUID:
    owner = session.execute(sharing.FILES.select().where(sharing.FILES.c.id == file_id)).one().user_id
    assert isinstance(owner, UUID)
    return owner


async def test_a_conversation_searches_its_files_and_its_collections(db: Database) -> None:
    ann, bob = await make_user(db, "ann"), await make_user(db, "bob")
    shared, own = await make_file(db, ann), await make_file(db, bob)
    books = await make_collection(db, ann, shared)
    share_id = await share(db, ann, books, "bob")
    talk = await make_conversation(db, bob)
    assert (await searched(db, bob, Wanted(), conversation_id=talk)).file_ids == [own]
    await db.write(partial(_choose, conversation_id=talk, owner=bob, collection_ids=[books]))
    assert (await searched(db, bob, Wanted(), conversation_id=talk)).parts == [Part(ann, [shared])]
    attached = await make_file(db, bob, conversation_id=talk)
    both = await searched(db, bob, Wanted(), conversation_id=talk)
    assert (both.parts, both.chosen) == ([Part(bob, [attached]), Part(ann, [shared])], True)
    assert (await searched(db, bob, Wanted([own]), conversation_id=talk)).file_ids == [own]
    assert set((await searched(db, bob, Wanted(), everywhere=True)).file_ids) == {own, attached}
    await db.write(partial(collections.unshare, collection_id=books, share_id=share_id, owner=ann))
    left = await searched(db, bob, Wanted(), conversation_id=talk)
    assert (left.parts, left.is_searched) == ([Part(bob, [attached])], True)


def _choose(session: Session, conversation_id: UUID, owner: UUID, collection_ids: list[UUID]) -> None:
    conversations.get(session, conversation_id, owner).collection_ids = [str(one) for one in collection_ids]


async def test_tags_narrow_files_and_pages(db: Database) -> None:
    owner = await make_user(db)
    texts = [f"apple of page {n}" for n in range(1, 11)]
    whole, parts, none = [await make_file(db, owner, texts) for _ in range(3)]
    await tag(db, whole, {"subject": "math", "grade": [5, 6]})
    await tag(db, parts, {"subject": "math"}, p2_4={"grade": 5}, p8={"grade": 6}, p4_8={"kind": "exam"})
    await tag(db, none, {"subject": "art"})
    for wanted, expected in (
        ({"subject": ["math"]}, {whole: None, parts: None}),
        ({"subject": ["math", "art"]}, {whole: None, parts: None, none: None}),
        ({"subject": ["math"], "grade": ["5"]}, {whole: None, parts: [2, 3, 4]}),
        ({"grade": ["5", "6"]}, {whole: None, parts: [2, 3, 4, 8]}),
        ({"grade": ["5", "6"], "kind": ["exam"]}, {parts: [4, 8]}),
        ({"grade": ["7"]}, {}),
        ({"Grade": ["5"]}, {}),
    ):
        found = await searched(db, owner, Wanted(tags=wanted))
        assert set(found.file_ids) == set(expected), wanted
        assert found.is_searched
        reached = (await db.query(partial(chunks.searchable, reader=owner, scope=found))).reaches
        hits = [
            place
            for reach in reached
            for place, _ in await db.query(partial(chunks.search_text, reach=reach, query="apple", limit=100))
        ]
        pages = {file_id: sorted(n + 1 for file, n in hits if file == file_id) for file_id in {f for f, _ in hits}}
        assert pages == {file_id: found or list(range(1, 11)) for file_id, found in expected.items()}, wanted
    assert (await searched(db, owner, Wanted([none, parts], tags={"grade": ["5"]}))).file_ids == [parts]


async def test_a_passage_matches_by_every_page_that_it_touches(db: Database) -> None:
    owner = await make_user(db)
    file = await make_file(db, owner, ["apple"] * 6, overlap=1)  # pages 1-2, 2-3, ...
    await tag(db, file, {}, p3={"a": 1}, p4={"b": 1})
    spans = await db.query(partial(tags.spans, file_ids=[file], tags={"a": ["1"], "b": ["1"]}))
    assert spans == {file: [(2, 2)]}, "only that of pages 3-4 touches both"
    assert await db.query(partial(tags.spans, file_ids=[file], tags={"a": ["1"]})) == {file: [(1, 2)]}


async def test_many_files_and_many_ranges(db: Database) -> None:
    owner = await make_user(db)
    files = [await make_file(db, owner, ["apple", "pear", "apple pie"]) for _ in range(30)]
    for n, file_id in enumerate(files):
        await tag(db, file_id, {"n": n % 3}, p3={"last": True}, p1={"first": n % 2})
    found = await searched(db, owner, Wanted(files, tags={"n": ["0", "1"], "first": ["1"]}))
    assert found.file_ids == [file_id for n, file_id in enumerate(files) if n % 3 < 2 and n % 2]
    (reach,) = (await db.query(partial(chunks.searchable, reader=owner, scope=found))).reaches
    hits = await db.query(partial(chunks.search_text, reach=reach, query="apple", limit=100))
    assert {place for place, _ in hits} == {(file_id, 0) for file_id in found.file_ids}


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ([], [(1, 2)], []),
        ([(1, 5)], [(2, 3), (5, 9)], [(2, 3), (5, 5)]),
        ([(1, 1), (3, 4), (8, 9)], [(0, 3), (9, 20)], [(1, 1), (3, 3), (9, 9)]),
    ],
)
def test_intersected(one: list[tuple[int, int]], other: list[tuple[int, int]], both: list[tuple[int, int]]) -> None:
    assert tags.intersected(one, other) == tags.intersected(other, one) == both


async def test_rights_are_asked_again_where_a_search_begins_and_ends(db: Database) -> None:
    """Whatever scope it is given: a share may have ended since it was made."""
    ann, bob = await make_user(db, "ann"), await make_user(db, "bob")
    shared, secret = await make_file(db, ann), await make_file(db, ann)
    books = await make_collection(db, ann, shared)
    share_id = await share(db, ann, books, "bob")
    both = Scope.of(ann, [shared, secret])
    places = [(shared, 0), (secret, 0)]
    reached = (await db.query(partial(chunks.searchable, reader=bob, scope=both))).reaches
    assert reached == [Reach(ann, [shared])]
    assert [row.file_id for row in await db.query(partial(chunks.by_places, reader=bob, places=places))] == [shared]
    await db.write(partial(collections.unshare, collection_id=books, share_id=share_id, owner=ann))
    assert (await db.query(partial(chunks.searchable, reader=bob, scope=both))).reaches == []
    assert await db.query(partial(chunks.by_places, reader=bob, places=places)) == []
    with pytest.raises(NotFound):
        await db.query(partial(sharing.find_readable, file_id=shared, reader=bob))
    await share(db, ann, books, None)
    assert len(await db.query(partial(chunks.by_places, reader=bob, places=places))) == 1
    await db.write(partial(collections.remove, collection_id=books, owner=ann))
    assert await db.query(partial(chunks.by_places, reader=bob, places=places)) == []
    assert len(await db.query(partial(chunks.by_places, reader=ann, places=places))) == 2


async def test_ids_are_found_among_any_number(db: Database) -> None:
    owner = await make_user(db)
    files = [await make_file(db, owner) for _ in range(3)]
    for others in (0, 40, 40_000):
        found = await searched(db, owner, Wanted([files[1], *[uuid4() for _ in range(others)]], is_past=True))
        assert found.file_ids == [files[1]]
