"""A new index beside the old one: search goes on over one of them, whatever happens meanwhile, and nothing is left."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import func, select

from app.core.enums import FileStatus, IndexState, SearchMode
from app.core.errors import Conflict, ModelUnavailable
from app.core.settings import DocumentSettings
from app.crud import index as rows
from app.db.models import Chunk, IndexedFile
from app.db.session import Database
from app.rag.vectors import ChromaProcess
from tests.services.doubles import WordEmbedder
from tests.services.library import Counts, Library, gone, prose, running

SMALLER = DocumentSettings(_env_file=None, chunk_size=120, chunk_overlap=0)
TEXT, QUERY = prose(300).encode(), "harbour crane ledger"  # spaces behind the text make it another file


class NewEmbedder(WordEmbedder):
    """Another model: of another dimension."""

    fingerprint = "words@2/48"
    dimension = 48

    def __init__(self) -> None:
        super().__init__()
        self.error: ModelUnavailable | None = None

    async def embed(self, texts, *, urgency):  # type: ignore[no-untyped-def]
        if self.error is not None:
            raise self.error
        return await super().embed(texts, urgency=urgency)


@dataclass
class Home:
    """A folder and databases for one library after another."""

    db: Database
    folder: Path
    vectors: ChromaProcess

    def library(self, **options: object) -> Library:
        return Library(self.db, self.folder, vectors=self.vectors, **options)  # type: ignore[arg-type]

    def changed(self, **options: object) -> Library:
        """Started again with another embedder; the one of before can still be asked."""
        return self.library(embedder=NewEmbedder(), former=[WordEmbedder()], **options)


@pytest.fixture
def home(db: Database, tmp_path: Path, chroma: ChromaProcess) -> Home:
    return Home(db, tmp_path, chroma)


@pytest.fixture
def light(sqlite_db: Database, tmp_path: Path, chroma: ChromaProcess) -> Home:
    return Home(sqlite_db, tmp_path, chroma)


async def filled(home: Home, files: int = 3) -> tuple[UUID, list[UUID]]:
    async with running(home.library()) as library:
        owner = await library.user()
        return owner, [(await library.ready(owner, TEXT + b" " * n, name=f"{n}.txt")).id for n in range(files)]


async def generations(db: Database) -> dict[int, int]:
    """How many chunks each index has."""
    async with db.read() as session:
        found = await session.execute(select(Chunk.generation, func.count()).group_by(Chunk.generation))
        return {row[0]: row[1] for row in found}


async def check_whole(library: Library, owner: UUID, file_ids: list[UUID]) -> None:
    """Each file is in the current index alone, with all that it should have."""
    assert len(await generations(library.db)) == 1
    for file_id in file_ids:
        file = await library.documents.get(owner, file_id)
        total = file.chunks_total or 0
        assert total > 0
        assert (file.status, file.chunks_done) == (FileStatus.READY, total)
        assert not library.documents.needs_reindex(file)
        assert await library.counts(owner, file_id) == Counts(file.pages_done, total, total, total)
    async with library.db.read() as session:
        assert await session.scalar(select(func.count()).select_from(IndexedFile)) == 0
        assert not await rows.leftovers(session)
        current = await session.run_sync(rows.current)
    assert current is not None
    for holding in await library.vectors.collections():  # type: ignore[union-attr]
        if holding.vectors and holding.space != current.space:
            kept = [v.file async for page in library.vectors.names(holding.collection) for v in page]  # type: ignore[union-attr]
            assert not {file_id.hex for file_id in file_ids} & set(kept)


async def cut_off(library: Library, embedder: WordEmbedder, after: int) -> None:
    """Build until so many texts are embedded, and stop as a kill would."""
    embedder.waits_after = after
    await library.rebuilding.request(None)
    async with asyncio.timeout(30):
        await embedder.reached.wait()


async def test_search_goes_on_over_one_index_while_another_is_built(home: Home) -> None:
    owner, files = await filled(home)
    async with running(home.changed()) as library:
        new = library.embedder
        old = library.index._others[0]  # type: ignore[index]
        spaces: list[str] = []
        query = home.vectors.query

        async def noted(*arguments: object, **named: str) -> object:
            spaces.append(named["space"])
            return await query(*arguments, **named)  # type: ignore[arg-type]

        home.vectors.query = noted  # type: ignore[method-assign]
        try:
            seen: list[tuple[SearchMode, int, int]] = []
            await cut_off(library, new, 40)
            building = await library.rebuilding.status.read()
            assert (building.state, building.files_total, building.files_done) == ("building", 3, 0)
            searching = asyncio.create_task(search_until(library, owner, "current", seen))
            uploaded = await library.ready(owner, TEXT + b" " * 50, name="new.txt")
            assert await home.vectors.count(owner, uploaded.id, space="words@1/32") == uploaded.chunks_total
            new.gate.set()
            await library.rebuilding.run()
            await searching
        finally:
            home.vectors.query = query  # type: ignore[method-assign]
        assert set(seen) == {(SearchMode.HYBRID, 0, 100)}
        assert spaces == sorted(spaces), "the old index, then the new one"
        assert set(spaces) == {"words@1/32", "words@2/48#1"}
        assert old.embedded > 0  # type: ignore[attr-defined]
        await check_whole(library, owner, [*files, uploaded.id])
        status = await library.rebuilding.status.read()
        assert (status.state, status.current.id, status.target) == ("current", 1, None)  # type: ignore[union-attr]


async def search_until(library: Library, owner: UUID, state: str, seen: list[tuple[SearchMode, int, int]]) -> None:
    """One search after another, and some after the swap."""
    retriever = library.retriever()
    left = 5
    while left:
        found = await retriever.search(owner, QUERY, scope=None, limit=100)
        seen.append((found.mode, found.text_only_files, len(found.passages)))
        assert all(p.dense_rank is not None or p.text_rank is not None for p in found.passages)
        left -= (await library.rebuilding.status.read()).state == state


async def test_what_was_cut_off_goes_on_where_it_was(home: Home) -> None:
    owner, files = await filled(home)
    async with running(home.changed()) as first:
        await cut_off(first, first.embedder, 96)
        done = (await first.rebuilding.status.read()).chunks_done
    assert done == 96  # whole batches
    async with running(home.changed()) as second:
        second.rebuilding.start()
        await second.until_index("current")
        await second.rebuilding.run()
        await check_whole(second, owner, files)
        shown = [await second.documents.get(owner, file_id) for file_id in files]
        assert second.embedder.embedded == sum(file.chunks_total or 0 for file in shown) - done


async def test_another_way_of_cutting_is_another_index_of_the_same_embedder(home: Home) -> None:
    owner, files = await filled(home, 2)
    async with running(home.library(settings=SMALLER)) as library:
        before = (await library.documents.get(owner, files[0])).chunks_total or 0
        await library.rebuilt()
        await check_whole(library, owner, files)
        assert ((await library.documents.get(owner, files[0])).chunks_total or 0) > before
        found = await library.retriever().search(owner, QUERY, scope=None, limit=100)
        assert (found.mode, len(found.passages)) == (SearchMode.HYBRID, 100)


@pytest.mark.parametrize("moment", [0, 40, 200])
async def test_what_is_deleted_or_retried_meanwhile_leaves_nothing(light: Home, moment: int) -> None:
    owner, files = await filled(light)
    async with running(light.changed()) as library:
        await cut_off(library, library.embedder, moment)
        await library.documents.delete(owner, files[0])
        async with library.db.begin() as session:
            row = await library.documents.get(owner, files[1])
            row.fingerprint = "stranger|1"
            await session.merge(row)
        retried = await library.documents.retry(owner, files[1])
        assert (await library.until(owner, files[1])).status == FileStatus.READY
        library.embedder.gate.set()
        await library.rebuilding.run()
        await gone(library, owner, files[0])
        assert retried.attempt == 2
        await check_whole(library, owner, files[1:])


async def test_a_failure_leaves_the_old_index_and_asking_again_goes_on(light: Home) -> None:
    owner, files = await filled(light, 2)
    async with running(light.changed()) as library:
        assert isinstance(library.embedder, NewEmbedder)
        library.embedder.error = ModelUnavailable("the key was refused")
        await library.rebuilt()
        status = await library.rebuilding.status.read()
        assert (status.state, status.error) == ("failed", "the key was refused")
        found = await library.retriever().search(owner, QUERY, scope=None)
        assert (found.mode, found.text_only_files) == (SearchMode.HYBRID, 0)
        library.embedder.error = None
        await library.rebuilt()
        await check_whole(library, owner, files)


async def test_cancelling_removes_what_was_built(home: Home) -> None:
    owner, files = await filled(home, 2)
    async with running(home.changed()) as library:
        with pytest.raises(Conflict, match="no index is being built"):
            await library.rebuilding.cancel()
        await cut_off(library, library.embedder, 64)
        await library.rebuilding.cancel()
        library.embedder.gate.set()
        await library.rebuilding.run()
        assert set(await generations(library.db)) == {0}
        assert (await library.rebuilding.status.read()).state == "outdated"
        for file_id in files:
            assert await home.vectors.count(owner, file_id, space="words@2/48#1") == 0
        found = await library.retriever().search(owner, QUERY, scope=None)
        assert (found.mode, found.text_only_files) == (SearchMode.HYBRID, 0)


async def test_without_the_old_embedder_words_find_what_there_is_until_the_swap(light: Home) -> None:
    owner, files = await filled(light, 2)
    async with running(light.library(embedder=NewEmbedder())) as library:
        retriever = library.retriever()
        uploaded = await library.ready(owner, TEXT + b" " * 50, name="new.txt")
        found = await retriever.search(owner, QUERY, scope=None)
        assert (found.mode, found.text_only_files, bool(found.passages)) == (SearchMode.TEXT, 3, True)
        dense = await retriever.search(owner, QUERY, scope=None, mode=SearchMode.DENSE)
        assert (dense.mode, dense.passages, dense.text_only_files) == (SearchMode.DENSE, [], 3)
        assert "by words alone" in await library.index.describe(library.db)
        await library.rebuilt()
        found = await retriever.search(owner, QUERY, scope=None)
        assert (found.mode, found.text_only_files) == (SearchMode.HYBRID, 0)
        await check_whole(library, owner, [*files, uploaded.id])


@pytest.mark.parametrize(("reindex", "state"), [("auto", "current"), ("manual", "outdated")])
async def test_it_begins_by_itself_unless_the_settings_say_otherwise(light: Home, reindex: str, state: str) -> None:
    owner, _ = await filled(light, 1)
    settings = DocumentSettings(_env_file=None, chunk_size=200, chunk_overlap=0, reindex=reindex)
    async with running(light.changed(settings=settings)) as library:
        library.rebuilding.start()
        await library.rebuilding._task  # type: ignore[misc]
        await library.until_index(state)
        found = await library.retriever().search(owner, QUERY, scope=None)
        assert (found.mode, found.text_only_files) == (SearchMode.HYBRID, 0)


async def test_an_unfinished_index_that_nobody_wants_any_more_is_removed(light: Home) -> None:
    owner, files = await filled(light, 2)
    async with running(light.changed()) as library:
        await cut_off(library, library.embedder, 64)
    async with running(light.library()) as back:
        back.rebuilding.start()
        await back.rebuilding._task  # type: ignore[misc]
        await back.rebuilding.run()
        await check_whole(back, owner, files)
        assert set(await generations(back.db)) == {0}
        async with back.db.read() as session:
            assert [row.removed_at is not None for row in await rows.by_state(session, IndexState.CANCELLED)] == [True]


async def test_a_file_that_is_written_during_the_swap_is_written_again(light: Home) -> None:
    owner, files = await filled(light, 1)
    async with running(light.changed()) as library:
        old = library.index._others[0]  # type: ignore[index]
        assert isinstance(old, WordEmbedder)
        old.waits_after = 32
        late = await library.upload(owner, TEXT + b" " * 60, name="late.txt")
        await old.reached.wait()
        await library.rebuilt()
        assert (await library.rebuilding.status.read()).state == "current"
        old.gate.set()
        assert (await library.until(owner, late.id)).status == FileStatus.READY
        await check_whole(library, owner, [*files, late.id])


async def test_surplus_and_lost_vectors_are_mended_before_the_swap(light: Home) -> None:
    owner, files = await filled(light, 2)
    async with running(light.changed()) as library:
        await cut_off(library, library.embedder, 110)  # the first file is whole
        assert library.vectors is not None
        space = "words@2/48#1"
        await library.vectors.delete(owner, files[0], space=space)
        await library.vectors.add(owner, files[0], [900, 901, 902], np.ones((3, 48), np.float32), space=space)
        library.embedder.gate.set()
        await library.rebuilding.run()
        await check_whole(library, owner, files)
