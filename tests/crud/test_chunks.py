"""Chunks and the text index, on SQLite and PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.enums import FileStatus, Role
from app.crud import chunks
from app.crud.chunks import Searchable
from app.crud.scope import Reach, Scope
from app.db.models import Chunk, File, User
from app.db.session import Database

TEXTS = [
    "The harvest of apples was larger than in the year before.",
    "Contracts end on the last day of December; the notice period is three months.",
    "Three months of rain spoiled the harvest, and the apples rotted: apples, apples, apples.",
    "東京大学は一八七七年に設立された。",
]


async def make_user(session: AsyncSession) -> UUID:
    user = User(id=uuid4(), username="u", username_key=uuid4().hex, password_hash="", role=Role.USER)
    session.add(user)
    await session.flush()
    return user.id


async def make_file(
    session: AsyncSession, owner: UUID, texts: Sequence[str], status: FileStatus = FileStatus.READY
) -> UUID:
    file = File(
        id=uuid4(), user_id=owner, name="report.pdf", media_type="text/plain", size_bytes=1, sha256="", status=status
    )
    session.add(file)
    await session.flush()
    await chunks.add(session, rows_of(owner, file.id, texts))
    return file.id


def rows_of(owner: UUID, file_id: UUID, texts: Sequence[str]) -> list[Chunk]:
    return [
        Chunk(
            file_id=file_id,
            user_id=owner,
            ordinal=ordinal,
            page_from=ordinal + 1,
            page_to=ordinal + 1,
            char_from=0,
            char_to=len(text),
            text=text,
            fingerprint="test",
        )
        for ordinal, text in enumerate(texts)
    ]


async def find(
    db: Database, owner: UUID, query: str, file_ids: Sequence[UUID] | None = None, limit: int = 10
) -> list[tuple[UUID, int]]:
    hits = await db.query(lambda s: chunks.search_text(s, Reach(owner, file_ids), query, limit))
    assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
    return [place for place, _ in hits]


async def test_best_match_comes_first_and_any_word_is_enough(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, TEXTS)
    assert await find(db, owner, "What is the notice period of a contract?") == [(file, 1)]
    assert await find(db, owner, "harvested apple") == [(file, 2), (file, 0)]
    assert await find(db, owner, "harvested apple", limit=1) == [(file, 2)]
    assert await find(db, owner, "大学の設立") == [(file, 3)]
    assert await find(db, owner, "the of and") == []
    assert await find(db, owner, "zebra") == []
    assert await find(db, owner, '"apples OR NEAR( * -') == await find(db, owner, "apples near")


async def test_a_word_that_is_asked_for_twice_counts_twice(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, ["rain and snow", "wind and hail"])
    for query, first in (("rain rain wind", 0), ("rain wind wind", 1)):
        assert await find(db, owner, query) == [(file, first), (file, 1 - first)]


async def test_nobody_finds_what_another_user_or_another_file_has(db: Database) -> None:
    async with db.begin() as session:
        ann, bob = await make_user(session), await make_user(session)
        first = await make_file(session, ann, TEXTS)
        second = await make_file(session, ann, TEXTS[:1])
        foreign = await make_file(session, bob, TEXTS)
    assert {file for file, _ in await find(db, ann, "apples")} == {first, second}
    assert {file for file, _ in await find(db, bob, "apples")} == {foreign}
    assert await find(db, ann, "apples", [second]) == [(second, 0)]
    assert await find(db, ann, "apples", [foreign]) == []
    assert await find(db, ann, "apples", []) == []


async def test_scores_do_not_depend_on_what_others_upload(db: Database) -> None:
    async with db.begin() as session:
        ann, bob = await make_user(session), await make_user(session)
        await make_file(session, ann, TEXTS)
    before = await db.query(lambda s: chunks.search_text(s, Reach(ann, None), "apples of December", 10))
    async with db.begin() as session:
        await make_file(session, bob, [*TEXTS, "December", "apples and pears"])
    assert await db.query(lambda s: chunks.search_text(s, Reach(ann, None), "apples of December", 10)) == before


@pytest.mark.parametrize("status", [s for s in FileStatus if s is not FileStatus.READY])
async def test_only_ready_files_are_found(db: Database, status: FileStatus) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, TEXTS, status)
    assert await find(db, owner, "apples") == []
    assert await db.query(lambda s: chunks.by_places(s, owner, [(file, 0)])) == []
    assert (await db.query(lambda s: chunks.searchable(s, owner, None))).reaches == []


async def test_adding_twice_changes_nothing(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, TEXTS[:2])
    before = await find(db, owner, "apples contract months harvest")
    async with db.begin() as session:
        await chunks.add(session, rows_of(owner, file, TEXTS))
        await chunks.add(session, rows_of(owner, file, TEXTS))
        await chunks.add(session, [])
        assert await chunks.count(session, file) == await chunks.indexed_count(session, file) == 4
    assert len(before) == 2
    assert len(await find(db, owner, "apples contract months harvest")) == 3


async def test_a_chunk_without_any_word_counts_as_indexed(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, ["the and of", "...", "apple"])
        assert await chunks.indexed_count(session, file) == 3


async def test_missing_index_entries_are_noticed(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, TEXTS)
        chunk = await session.scalar(select(Chunk.id).where(Chunk.file_id == file, Chunk.ordinal == 1))
        table, column = ("chunks_fts", "rowid") if db.is_sqlite else ("postings", "chunk_id")
        await (await session.connection()).exec_driver_sql(f"DELETE FROM {table} WHERE {column} = {chunk}")
        assert await chunks.count(session, file) == 4
        assert await chunks.indexed_count(session, file) == 3


async def test_a_deleted_file_is_gone_from_the_index(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, ["The secret word is Quetzalcoatl."])
        other = await make_file(session, owner, TEXTS)
    async with db.begin() as session:
        await chunks.delete_file(session, file)
        await chunks.delete_file(session, file)
        assert await chunks.count(session, file) == await chunks.indexed_count(session, file) == 0
        assert await chunks.indexed_count(session, other) == 4
    assert await find(db, owner, "Quetzalcoatl") == []
    assert len(await find(db, owner, "apples")) == 2


async def test_no_byte_of_a_deleted_file_stays_in_the_index(sqlite_db: Database) -> None:
    async with sqlite_db.begin() as session:
        owner = await make_user(session)
        file = await make_file(session, owner, ["The secret word is Quetzalcoatl."])
        await make_file(session, owner, TEXTS)
    assert await stored_bytes(sqlite_db, b"quetzalcoatl") == 2  # its words and its posting
    async with sqlite_db.begin() as session:
        await chunks.delete_file(session, file)
    assert await stored_bytes(sqlite_db, b"quetzalcoatl") == 0


async def stored_bytes(db: Database, word: bytes) -> int:
    """How often a word stands in the tables behind the index."""
    async with db.read() as session:
        connection = await session.connection()
        rows = [*await connection.exec_driver_sql("SELECT block FROM chunks_fts_data")]
        rows += [*await connection.exec_driver_sql("SELECT CAST(c0 AS BLOB) FROM chunks_fts_content")]
        return sum(bytes(row[0]).count(word) for row in rows)


async def test_deleting_the_user_takes_the_index_along(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        await make_file(session, owner, TEXTS)
    async with db.begin() as session:
        await session.execute(delete(User).where(User.id == owner))
        table = "chunks_fts" if db.is_sqlite else "postings"
        left = await (await session.connection()).exec_driver_sql(f"SELECT count(*) FROM {table}")
        assert left.scalar() == 0


async def test_searchable_names_files_only_when_some_are_left_out(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)

        async def reached(*files: UUID) -> list[Reach]:
            scope = Scope.of(owner, files) if files else None
            return (await session.run_sync(chunks.searchable, owner, scope)).reaches

        assert await reached() == []
        first, second = [await make_file(session, owner, []) for _ in range(2)]
        assert await reached() == [Reach(owner, None, is_all_ready=True)]
        assert await reached(first, second, uuid4()) == [Reach(owner, None, is_all_ready=True)]
        assert await reached(second) == [Reach(owner, [second])]
        assert await reached(uuid4()) == []
        await session.execute(update(File).where(File.id == first).values(status=FileStatus.FAILED))
        assert await reached() == [Reach(owner, [second], is_all_ready=True)]


async def test_words_of_files_that_are_not_ready_are_left_out_without_naming_the_others(db: Database) -> None:
    """A library of which one file has failed costs no more than before."""
    async with db.begin() as session:
        owner = await make_user(session)
        ready, failed = [await make_file(session, owner, TEXTS) for _ in range(2)]
        await session.execute(update(File).where(File.id == failed).values(status=FileStatus.FAILED))
        (reach,) = (await session.run_sync(chunks.searchable, owner, None)).reaches
        for known in (reach, replace(reach, file_ids=[uuid4()])):  # who is named does not matter then
            found = await session.run_sync(chunks.search_text, known, TEXTS[0], 100)
            assert {file for (file, _), _ in found} == {ready}
        assert await session.run_sync(chunks.search_text, Reach(owner, [uuid4()]), TEXTS[0], 100) == []


async def test_searchable_counts_files_of_another_embedder(db: Database) -> None:
    async with db.begin() as session:
        owner = await make_user(session)
        kinds = ["new@3|1|1000", "new@33|1|1000", "old@3|1|1000", None]
        made = [await make_file(session, owner, []) for _ in kinds]
        for file, kind in zip(made, kinds, strict=True):
            await session.execute(update(File).where(File.id == file).values(fingerprint=kind))
        everything, two = [Reach(owner, None, is_all_ready=True)], Scope.of(owner, made[:2])
        assert await session.run_sync(chunks.searchable, owner, None, "new@3") == Searchable(everything, 4, 3)
        found = await session.run_sync(chunks.searchable, owner, two, "new@3")
        assert found == Searchable([Reach(owner, made[:2])], 2, 1)
        assert await session.run_sync(chunks.searchable, owner, None, None) == Searchable(everything, 4, 0)


async def test_chunks_are_reached_by_place_but_not_by_strangers(db: Database) -> None:
    async with db.begin() as session:
        owner, stranger = await make_user(session), await make_user(session)
        file = await make_file(session, owner, TEXTS)
        places = [(file, 2), (file, 9), (uuid4(), 0)]
        rows = await session.run_sync(chunks.by_places, owner, places)
        assert [(r.file_id, r.file_name, r.ordinal, r.page_from, r.char_to, r.text) for r in rows] == [
            (file, "report.pdf", 2, 3, len(TEXTS[2]), TEXTS[2])
        ]
        assert await session.run_sync(chunks.by_places, stranger, places) == []


async def test_both_databases_rank_alike(sqlite_url: str, postgres_url: str) -> None:
    words = ["apple", "pear", "harvest", "rain", "contract", "month", "year", "river", "stone", "bridge", "snow"]
    texts = [" ".join(words[(i * k + i // 11) % 11] for k in range(1, 3 + i % 17)) for i in range(60)]
    databases = [Database(sqlite_url), Database(postgres_url)]
    found = []
    for db in databases:
        async with db.begin() as session:
            owner = await make_user(session)
            await make_file(session, owner, texts)
        search = partial(chunks.search_text, reach=Reach(owner, None), query="apple apple bridge river month", limit=99)
        found.append({ordinal: score for (_, ordinal), score in await db.query(search)})
    await asyncio.gather(*(db.aclose() for db in databases))
    assert len(found[0]) > 50
    assert found[0] == pytest.approx(found[1])
