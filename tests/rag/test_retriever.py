"""Search over real rows and vectors, with an embedder whose vectors a test can foresee."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import update

from app.core.enums import FileStatus, Role, SearchMode
from app.core.errors import ModelUnavailable
from app.crud import chunks
from app.db.models import Chunk, File, User
from app.db.session import Database
from app.rag.base import Urgency, Vectors
from app.rag.retriever import Retriever, reads
from app.rag.vectors import ChromaProcess

TOPICS = ["fruit", "law", "weather", "music"]
TEXTS = [
    "fruit: the harvest of apples was large this year",
    "law: the notice period is three months",
    "weather: three months of rain spoiled apples and pears",
    "music: the violin is older than the piano",
]


class TopicEmbedder:
    """An Embedder that knows four topics by their name: a text is near another of the same topic."""

    fingerprint = "topics@1/4"
    dimension = 4
    max_tokens = 1000
    scripts = frozenset({"LATIN"})
    related_from = 0.9

    def __init__(self, *, familiarity: float = 1.0, broken: bool = False) -> None:
        self._familiarity, self._broken = familiarity, broken
        self.embedded: list[str] = []

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        if self._broken:
            raise ModelUnavailable("no weights")
        self.embedded += texts
        rows = [[1.0 if topic in text else 0.1 / (n + 1) for n, topic in enumerate(TOPICS)] for text in texts]
        vectors = np.array(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def familiarity(self, text: str) -> float:
        return self._familiarity

    async def aclose(self) -> None: ...


@pytest.fixture(scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


class Library:
    """Users with files, as ingestion would leave them."""

    def __init__(self, db: Database, vectors: ChromaProcess) -> None:
        self.db, self.vectors = db, vectors

    async def user(self) -> UUID:
        key = uuid4()
        async with self.db.begin() as session:
            session.add(User(id=key, username="u", username_key=key.hex, password_hash="", role=Role.USER))
        return key

    async def file(
        self, owner: UUID, texts: Sequence[str] = TEXTS, status: FileStatus = FileStatus.READY, name: str = "a.pdf"
    ) -> UUID:
        key = uuid4()
        async with self.db.begin() as session:
            session.add(
                File(
                    id=key,
                    user_id=owner,
                    name=name,
                    media_type="text/plain",
                    size_bytes=1,
                    sha256="",
                    status=status,
                )
            )
            await session.flush()
            await chunks.add(session, [self.row(owner, key, n, text) for n, text in enumerate(texts)])
        found = await TopicEmbedder().embed(texts, urgency="document")
        await self.vectors.add(owner, key, range(len(texts)), found)
        return key

    def row(self, owner: UUID, file: UUID, ordinal: int, text: str) -> Chunk:
        return Chunk(
            file_id=file,
            user_id=owner,
            ordinal=ordinal,
            page_from=ordinal + 1,
            page_to=ordinal + 2,
            char_from=10 * ordinal,
            char_to=10 * ordinal + len(text),
            text=text,
            fingerprint="test",
        )

    def retriever(self, embedder: TopicEmbedder | None) -> Retriever:
        return Retriever(self.db, embedder=embedder, vectors=self.vectors)


@pytest.fixture
def library(db: Database, vectors: ChromaProcess) -> Library:
    return Library(db, vectors)


async def test_both_halves_are_fused_and_their_ranks_reported(library: Library) -> None:
    owner = await library.user()
    file = await library.file(owner, name="facts.pdf")
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit in three months of rain", file_ids=None)
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
    search = partial(library.retriever(TopicEmbedder()).search, owner, file_ids=None, related_only=True)
    assert {p.page_from for p in (await search("fruit in three months of rain")).passages} == {1, 2, 3}
    assert [p.page_from for p in (await search("music of old")).passages] == [4]
    assert (await search("nothing of this kind")).passages == []


async def test_each_half_alone(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    retriever = library.retriever(TopicEmbedder())
    text = await retriever.search(owner, "apples", file_ids=None, mode=SearchMode.TEXT)
    assert (text.mode, {p.page_from for p in text.passages}) == (SearchMode.TEXT, {1, 3})
    assert [(p.dense_rank, p.text_rank) for p in text.passages] == [(None, 1), (None, 2)]
    dense = await retriever.search(owner, "music", file_ids=None, limit=2, mode=SearchMode.DENSE)
    assert (dense.mode, dense.passages[0].page_from, len(dense.passages)) == (SearchMode.DENSE, 4, 2)
    assert [(p.dense_rank, p.text_rank) for p in dense.passages] == [(1, None), (2, None)]


async def test_words_alone_without_an_embedder(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    for mode in SearchMode:
        found = await library.retriever(None).search(owner, "violin", file_ids=None, mode=mode)
        assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])


async def test_words_alone_when_the_embedder_fails(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    retriever = library.retriever(TopicEmbedder(broken=True))
    found = await retriever.search(owner, "violin", file_ids=None)
    assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])
    with pytest.raises(ModelUnavailable, match="no weights"):
        await retriever.search(owner, "violin", file_ids=None, mode=SearchMode.DENSE)


async def test_words_alone_for_a_script_that_the_embedder_does_not_read(library: Library) -> None:
    owner = await library.user()
    await library.file(owner, [*TEXTS[1:], "скрипка старше фортепиано"])
    embedder = TopicEmbedder()
    found = await library.retriever(embedder).search(owner, "что старше, скрипка (fruit)?", file_ids=None)
    assert (found.mode, [p.page_from for p in found.passages]) == (SearchMode.TEXT, [4])
    assert embedder.embedded == []


async def test_meaning_counts_less_when_the_words_are_not_known(library: Library) -> None:
    owner = await library.user()
    await library.file(owner)
    query = "fruit, apples, violin or piano"
    orders = []
    for familiarity in (1.0, 0.1):
        embedder = TopicEmbedder(familiarity=familiarity)
        found = await library.retriever(embedder).search(owner, query, file_ids=None, limit=2)
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
            found = await retriever.search(owner, "fruit apples", file_ids=files, limit=100, mode=mode)
            assert {p.file_id for p in found.passages} == expected


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_only_ready_files_are_found(library: Library, mode: SearchMode) -> None:
    owner = await library.user()
    ready = await library.file(owner)
    other = await library.file(owner)
    for status in FileStatus:
        async with library.db.begin() as session:
            await session.execute(update(File).where(File.id == other).values(status=status))
        found = await library.retriever(TopicEmbedder()).search(owner, "fruit apples", file_ids=None, mode=mode)
        assert {p.file_id for p in found.passages} == ({ready, other} if status is FileStatus.READY else {ready})


async def test_a_file_that_is_being_indexed_takes_no_place_from_others(library: Library) -> None:
    owner = await library.user()
    ready = await library.file(owner, TEXTS[2:])
    await library.file(owner, ["fruit"] * 150, FileStatus.INDEXING)
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit", file_ids=None, mode=SearchMode.DENSE)
    assert [p.file_id for p in found.passages] == [ready, ready]


async def test_vectors_without_rows_are_passed_over(library: Library) -> None:
    owner = await library.user()
    file = await library.file(owner)
    async with library.db.begin() as session:
        await chunks.delete_file(session, file)
        await chunks.add(session, [library.row(owner, file, 3, TEXTS[3])])
    found = await library.retriever(TopicEmbedder()).search(owner, "fruit", file_ids=None)
    assert [p.page_from for p in found.passages] == [4]


async def test_nothing_is_embedded_when_there_is_nothing_to_find(library: Library) -> None:
    owner = await library.user()
    embedder = TopicEmbedder()
    assert (await library.retriever(embedder).search(owner, "fruit", file_ids=None)).passages == []
    await library.file(owner)
    assert (await library.retriever(embedder).search(owner, " \n", file_ids=None)).passages == []
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
