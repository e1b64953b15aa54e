"""Search over real rows and vectors, with an embedder whose vectors a test can foresee."""

from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import update

from app.core.enums import FileStatus, SearchMode
from app.core.errors import ModelUnavailable
from app.crud import chunks
from app.crud.scope import Scope
from app.db.models import File
from app.db.session import Database
from app.rag.retriever import reads
from app.rag.vectors import ChromaProcess
from tests.rag.topics import TEXTS, Library, TopicEmbedder, Unknown


@pytest.fixture(scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


@pytest.fixture
def library(db: Database, vectors: ChromaProcess) -> Library:
    return Library(db, vectors)


async def test_both_halves_are_fused_and_their_ranks_reported(library: Library) -> None:
    owner = await library.user()
    file = await library.file(owner, name="facts.pdf")
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit in three months of rain", scope=None)
    assert found.mode is SearchMode.HYBRID
    by_page = {p.page_from: (p.dense_rank, p.text_rank) for p in found.passages}
    assert by_page == {1: (1, 3), 2: (2, 2), 3: (3, 1), 4: (4, None)}
    first = found.passages[0]
    assert (first.file_id, first.file_name, first.page_from, first.page_to) == (file, "facts.pdf", 3, 4)
    assert (first.char_from, first.char_to, first.text) == (20, 20 + len(TEXTS[2]), TEXTS[2])
    assert [p.score for p in found.passages] == sorted((p.score for p in found.passages), reverse=True)
    assert 0 <= found.passages[-1].score < found.passages[0].score <= 1


async def test_what_is_neither_near_nor_shares_a_word_is_left_out_when_that_is_asked(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    search = partial(library.retriever(TopicEmbedder()).search, owner, scope=None, related_only=True)
    assert {p.page_from for p in (await search("fruit in three months of rain")).passages} == {1, 2, 3}
    assert [p.page_from for p in (await search("music of old")).passages] == [4]
    assert (await search("nothing of this kind")).passages == []


async def test_each_half_alone(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    retriever = library.retriever(TopicEmbedder())
    text = await retriever.search(owner, "apples", scope=None, mode=SearchMode.TEXT)
    assert (text.mode, {p.page_from for p in text.passages}) == (SearchMode.TEXT, {1, 3})
    assert [(p.dense_rank, p.text_rank) for p in text.passages] == [(None, 1), (None, 2)]
    dense = await retriever.search(owner, "music", scope=None, limit=2, mode=SearchMode.DENSE)
    assert (dense.mode, dense.passages[0].page_from, len(dense.passages)) == (SearchMode.DENSE, 4, 2)
    assert [(p.dense_rank, p.text_rank) for p in dense.passages] == [(1, None), (2, None)]


async def test_words_alone_without_an_embedder(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    for mode in SearchMode:
        found = await library.retriever(None).search(owner, "violin", scope=None, mode=mode)
        assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])


async def test_words_alone_when_the_embedder_fails(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    retriever = library.retriever(TopicEmbedder(broken=True))
    found = await retriever.search(owner, "violin", scope=None)
    assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])
    with pytest.raises(ModelUnavailable, match="no weights"):
        await retriever.search(owner, "violin", scope=None, mode=SearchMode.DENSE)


async def test_a_file_of_another_embedder_is_found_by_words_alone(library: Library) -> None:
    owner = await library.user()
    old = await library.file(owner, space="old@4")
    embedder = TopicEmbedder()
    retriever = library.retriever(embedder)
    found = await retriever.search(owner, "violin", scope=None)
    assert (found.mode, found.text_only_files, [p.page_from for p in found.passages]) == (SearchMode.TEXT, 1, [4])
    assert embedder.embedded == []
    dense = await retriever.search(owner, "music", scope=None, mode=SearchMode.DENSE)
    assert (dense.passages, dense.text_only_files) == ([], 1)
    new = await library.file(owner)
    found = await retriever.search(owner, "music of the violin", scope=None, limit=100)
    assert (found.mode, found.text_only_files) == (SearchMode.HYBRID, 1)
    assert {(p.file_id, p.dense_rank is None) for p in found.passages} == {(new, False), (old, True)}
    assert (await retriever.search(owner, "violin", scope=Scope.of(owner, [new]))).text_only_files == 0


async def test_words_alone_while_the_embedder_is_not_known(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    retriever = library.retriever(Unknown())
    found = await retriever.search(owner, "violin", scope=None)
    assert (found.mode, found.text_only_files, [p.page_from for p in found.passages]) == (SearchMode.TEXT, 0, [4])
    with pytest.raises(ModelUnavailable, match="has not answered"):
        await retriever.search(owner, "violin", scope=None, mode=SearchMode.DENSE)


async def test_words_alone_for_a_script_that_the_embedder_does_not_read(library: Library) -> None:
    owner = await library.user()
    await library.file(owner, [*TEXTS[1:], "скрипка старше фортепиано"])
    embedder = TopicEmbedder()
    found = await library.retriever(embedder).search(owner, "что старше, скрипка (fruit)?", scope=None)
    assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])
    assert embedder.embedded == []


async def test_meaning_counts_less_when_the_words_are_not_known(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    query = "fruit, apples, violin or piano"
    orders = []
    for familiarity in (1.0, 0.1):
        embedder = TopicEmbedder(familiarity=familiarity)
        found = await library.retriever(embedder).search(owner, query, scope=None, limit=2)
        orders.append([p.page_from for p in found.passages])
    assert orders == [[1, 4], [4, 1]]


async def test_nobody_finds_what_another_user_or_another_file_has(library: Library) -> None:
    ann, bob = await library.user(), await library.user()
    first, second, foreign = await library.file(ann), await library.file(ann), await library.file(bob)
    retriever = library.retriever(TopicEmbedder())
    for mode in SearchMode:
        for owner, files, expected in (
            (ann, None, {first, second}),
            (ann, [second], {second}),
            (ann, [second, foreign], {second}),
            (ann, [foreign], set()),
            (ann, [], set()),
            (bob, None, {foreign}),
        ):
            scope = None if files is None else Scope.of(owner, files)
            found = await retriever.search(owner, "fruit apples", scope=scope, limit=100, mode=mode)
            assert {p.file_id for p in found.passages} == expected


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_only_ready_files_are_found(library: Library, mode: SearchMode) -> None:
    owner = await library.user()
    ready = await library.file(owner)
    other = await library.file(owner)
    for status in FileStatus:
        async with library.db.begin() as session:
            await session.execute(update(File).where(File.id == other).values(status=status))
        found = await library.retriever(TopicEmbedder()).search(owner, "fruit apples", scope=None, mode=mode)
        assert {p.file_id for p in found.passages} == ({ready, other} if status is FileStatus.READY else {ready})


async def test_a_file_that_is_being_indexed_takes_no_place_from_others(library: Library) -> None:
    owner = await library.user()
    ready = await library.file(owner, TEXTS[2:])
    await library.file(owner, ["fruit"] * 150, FileStatus.INDEXING)
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit", scope=None, mode=SearchMode.DENSE)
    assert [p.file_id for p in found.passages] == [ready, ready]


async def test_vectors_without_rows_are_passed_over(library: Library) -> None:
    owner = await library.user()
    file = await library.file(owner)
    async with library.db.begin() as session:
        await chunks.delete_file(session, file)
        await chunks.add(session, [library.row(owner, file, 3, TEXTS[3])])
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit", scope=None)
    assert [p.page_from for p in found.passages] == [4]


async def test_nothing_is_embedded_when_there_is_nothing_to_find(library: Library) -> None:
    owner = await library.user()
    embedder = TopicEmbedder()
    assert (await library.retriever(embedder).search(owner, "fruit", scope=None)).passages == []
    await library.file(owner)
    assert (await library.retriever(embedder).search(owner, " \n", scope=None)).passages == []
    assert embedder.embedded == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("How many points?", True),
        ("Straße naïve Ω", True),
        ("Сколько очков?", False),
        ("多少分 points", True),
        ("多少分多少分 GPU", False),
        ("2024-11-20", True),
        ("", True),
    ],
)
def test_latin_queries_are_read(query: str, expected: bool) -> None:
    assert reads(frozenset({"LATIN"}), query) is expected
    assert reads(None, query)
