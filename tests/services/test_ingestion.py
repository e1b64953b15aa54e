"""Ingestion: resumes where it was cut, verifies what it wrote, and leaves nothing of what failed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.enums import FileStatus
from app.core.errors import Conflict
from app.core.settings import DocumentSettings
from app.crud import files
from app.db.models import Chunk, File
from app.db.session import Database
from app.rag.pages import ParseError
from app.rag.vectors import ChromaProcess
from tests.services.doubles import ScriptedParser, WordEmbedder
from tests.services.library import Counts, Library, look, prose, running, stored

NOTHING = Counts(0, 0, 0, 0)
Build = Callable[[ScriptedParser], Library]


class NarrowEmbedder(WordEmbedder):
    """Another one, with another dimension."""

    fingerprint = "narrow@1/8"
    dimension = 8


@pytest.fixture
def build(db: Database, tmp_path: Path, chroma: ChromaProcess) -> Build:
    def make(parser: ScriptedParser) -> Library:
        return Library(db, tmp_path, parser=parser, vectors=chroma)

    return make


async def cut(library: Library, file: File, at: asyncio.Event) -> None:
    """Run until `at`, then stop as a shutdown does."""
    task = asyncio.create_task(library.ingestion.run(file.id, file.attempt))
    async with asyncio.timeout(30):
        await at.wait()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


def pages(number: int) -> list[str]:
    return [prose(4, seed=n) for n in range(number)]


async def test_a_file_is_ready_with_equal_counts_and_offsets_of_its_text(build: Build) -> None:
    texts = pages(20)
    library = build(ScriptedParser(texts))
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert (row.status, row.pages_total, row.pages_done) == (FileStatus.READY, 20, 20)
    assert counts == Counts(20, row.chunks_done, row.chunks_done, row.chunks_done)
    assert row.chunks_total == row.chunks_done > 20
    assert row.fingerprint is not None
    assert row.fingerprint.startswith("words@1/32|")
    whole = "\f".join(texts)
    found = await library.passages(file.user_id, "harbour")
    assert found
    assert all(whole[passage.char_from : passage.char_to] == passage.text for passage in found)
    async with library.db.read() as session:
        for number in (1, 7, 20):
            page = await files.page(session, file.id, number)
            assert page is not None
            assert whole[page.char_from : page.char_from + len(page.text)] == texts[number - 1] == page.text


async def test_parsing_resumes_after_the_last_stored_batch(build: Build) -> None:
    parser = ScriptedParser(pages(40))
    parser.waits_at = 37
    library = build(parser)
    file = await stored(library)
    await cut(library, file, parser.reached)
    row, counts = await look(library, file)
    assert (row.status, row.pages_done, row.pages_total, counts.pages) == (FileStatus.PARSING, 32, 40, 32)
    assert parser.closed == 1
    parser.gate.set()
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert parser.asked_first == [1, 33]
    assert (row.status, row.pages_done, counts.pages) == (FileStatus.READY, 40, 40)
    uninterrupted = await stored(build(ScriptedParser(pages(40))))
    await build(ScriptedParser(pages(40))).ingestion.run(uninterrupted.id, 1)
    assert (await look(library, uninterrupted))[1] == counts


async def test_indexing_resumes_after_the_last_written_batch(build: Build) -> None:
    library = build(ScriptedParser(pages(60)))
    library.embedder.waits_after = 64
    file = await stored(library)
    await cut(library, file, library.embedder.reached)
    row, counts = await look(library, file)
    assert (row.status, row.chunks_done) == (FileStatus.EMBEDDING, 64)
    assert counts == Counts(60, 64, 64, 64)
    library.embedder.gate.set()
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert row.status == FileStatus.READY
    assert counts == Counts(60, row.chunks_done, row.chunks_done, row.chunks_done)
    assert library.embedder.embedded == row.chunks_total


async def test_chunks_of_another_kind_are_not_mixed(db: Database, tmp_path: Path, chroma: ChromaProcess) -> None:
    """A restart with other settings begins the index anew."""
    parser = ScriptedParser(pages(60))
    before = Library(db, tmp_path, parser=parser, vectors=chroma)
    before.embedder.waits_after = 64
    file = await stored(before)
    await cut(before, file, before.embedder.reached)
    smaller = DocumentSettings(_env_file=None, chunk_size=100, chunk_overlap=0)
    after = Library(db, tmp_path, parser=parser, vectors=chroma, settings=smaller)
    await after.ingestion.run(file.id, 1)
    row, counts = await look(after, file)
    assert row.status == FileStatus.READY
    assert counts == Counts(60, row.chunks_done, row.chunks_done, row.chunks_done)
    async with db.read() as session:
        kinds = set(await session.scalars(select(Chunk.fingerprint).where(Chunk.file_id == file.id)))
    assert kinds == {row.fingerprint}
    assert after.embedder.embedded == row.chunks_total


async def test_a_restart_with_another_embedder_leaves_none_of_the_first_ones_vectors(
    db: Database, tmp_path: Path, chroma: ChromaProcess
) -> None:
    parser = ScriptedParser(pages(60))
    before = Library(db, tmp_path, parser=parser, vectors=chroma)
    before.embedder.waits_after = 64
    file = await stored(before)
    await cut(before, file, before.embedder.reached)
    async with running(Library(db, tmp_path, parser=parser, vectors=chroma, embedder=NarrowEmbedder())) as after:
        await after.ingestion.run(file.id, 1)
        row, counts = await look(after, file)
        assert row.status == FileStatus.READY
        assert counts == Counts(60, row.chunks_done, row.chunks_done, 0)  # nobody can embed for that index any more
        await after.rebuilt()
    row, counts = await look(after, file)
    assert counts == Counts(60, row.chunks_done, row.chunks_done, row.chunks_done)
    assert await chroma.count(file.user_id, file.id, space=f"{NarrowEmbedder.fingerprint}#1") == row.chunks_total


async def test_a_file_is_embedded_again_without_being_parsed_again(
    db: Database, tmp_path: Path, chroma: ChromaProcess
) -> None:
    parser = ScriptedParser(pages(20))
    before = Library(db, tmp_path, parser=parser, vectors=chroma)
    file = await stored(before)
    await before.ingestion.run(file.id, 1)
    async with db.begin() as session:  # as a file of before there were several indexes
        row = await session.get(File, file.id)
        assert row is not None
        row.fingerprint = f"old@3|{(row.fingerprint or '').partition('|')[2]}"
    async with running(Library(db, tmp_path, parser=parser, vectors=chroma)) as after:
        ready = await after.documents.get(file.user_id, file.id)
        assert after.documents.needs_reindex(ready)
        await after.documents.retry(file.user_id, file.id)
        row = await after.until(file.user_id, file.id)
        assert (row.status, row.attempt, after.documents.needs_reindex(row)) == (FileStatus.READY, 2, False)
        with pytest.raises(Conflict, match="is ready"):
            await before.documents.retry(file.user_id, file.id)
        assert parser.asked_first == [1]
        assert await chroma.count(file.user_id, file.id) == row.chunks_total


async def test_an_index_that_lost_something_is_built_again(build: Build) -> None:
    library = build(ScriptedParser(pages(60)))
    library.embedder.waits_after = 64
    file = await stored(library)
    await cut(library, file, library.embedder.reached)
    assert library.vectors is not None
    await library.vectors.delete(file.user_id, file.id)
    library.embedder.gate.set()
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert row.status == FileStatus.READY
    assert counts == Counts(60, row.chunks_done, row.chunks_done, row.chunks_done)


@pytest.mark.parametrize("change", ["cancelled", "retried", "deleted"])
async def test_a_job_whose_file_was_taken_from_it_writes_nothing_more(build: Build, change: str) -> None:
    parser = ScriptedParser(pages(40))
    parser.waits_at = 37
    library = build(parser)
    file = await stored(library)
    task = asyncio.create_task(library.ingestion.run(file.id, 1))
    await parser.reached.wait()
    async with library.db.begin() as session:
        row = await session.get(File, file.id)
        assert row is not None
        match change:
            case "cancelled":
                row.status = FileStatus.CANCELLED
                await files.delete_pages(session, file.id)
            case "retried":
                await files.reset(session, row)
            case _:
                await files.delete_row(session, file.id)
    parser.gate.set()
    await task
    assert await library.counts(file.user_id, file.id) == NOTHING
    async with library.db.read() as session:
        left = await session.get(File, file.id)
        state = left and (left.status, left.attempt, left.pages_done)
    assert state == {"cancelled": ("cancelled", 1, 32), "retried": ("stored", 2, 0), "deleted": None}[change]


async def test_a_parse_error_is_kept_and_nothing_else(build: Build) -> None:
    library = build(ScriptedParser(pages(20), error=ParseError("encrypted", "the file needs a password")))
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert (row.status, row.error) == (
        FileStatus.FAILED,
        {"code": "encrypted", "message": "the file needs a password"},
    )
    assert counts == NOTHING


@pytest.mark.parametrize("texts", [[], [" \n", "\t"]])
async def test_a_file_without_text_is_failed_with_the_way_out(build: Build, texts: list[str]) -> None:
    library = build(ScriptedParser(texts))
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert row.status == FileStatus.FAILED
    assert row.error is not None
    assert row.error["code"] == "no_text"
    assert str(row.error["message"]).startswith("no text found: ")
    assert counts == NOTHING


async def test_what_databases_refuse_in_text_is_replaced_in_place(build: Build) -> None:
    library = build(ScriptedParser(["one\0two harbour \ud800 three"]))
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    leaf = await library.documents.page(file.user_id, file.id, 1)
    assert leaf.page.text == "one\ufffdtwo harbour \ufffd three"


async def test_without_an_embedder_a_file_is_ready_by_its_words(db: Database, tmp_path: Path) -> None:
    library = Library(db, tmp_path, parser=ScriptedParser(pages(3)), vectors=None)
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert row.status == FileStatus.READY
    assert counts == Counts(3, row.chunks_done, row.chunks_done, 0)
    assert await library.found(file.user_id, "harbour") == {file.id}


async def test_a_file_that_is_final_or_gone_is_left_alone(build: Build) -> None:
    parser = ScriptedParser(pages(1))
    library = build(parser)
    file = await stored(library)
    await library.ingestion.run(file.id, 2)
    await library.ingestion.run(UUID(int=0), 1)
    assert parser.asked_first == []
    await library.ingestion.run(file.id, 1)
    await library.ingestion.run(file.id, 1)
    assert parser.asked_first == [1]
