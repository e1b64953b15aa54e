"""Search in scopes of several owners and of tagged pages, by both halves, and while rights change."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial

import pytest

from app.core.enums import SearchMode
from app.crud import chunks, collections, scope
from app.crud.scope import Scope, Wanted
from app.db.session import Database
from app.rag.base import Urgency, Vectors
from app.rag.retriever import TOP
from app.rag.vectors import ChromaProcess
from tests.crud.shared import make_collection, share, tag
from tests.rag.topics import TEXTS, Library, TopicEmbedder


@pytest.fixture(scope="module")
async def vectors(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


@pytest.fixture
def library(db: Database, vectors: ChromaProcess) -> Library:
    return Library(db, vectors)


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_readers_find_the_owners_passages_in_one_ranking_with_their_own(
    library: Library, mode: SearchMode
) -> None:
    ann, bob, eve = [await library.user() for _ in range(3)]
    shared, secret = await library.file(ann), await library.file(ann)
    own = await library.file(bob, ["fruit: pears", "music: the drum"])
    books = await make_collection(library.db, ann, shared)
    await share(library.db, ann, books, None)
    search = library.retriever(TopicEmbedder()).search
    wanted = Wanted(file_ids=[own], collection_ids=[books])
    both = await library.db.query(partial(scope.searched, reader=bob, wanted=wanted))
    found = await search(bob, "fruit apples pears", scope=both, limit=100, mode=mode)
    assert {p.file_id for p in found.passages} == {shared, own}
    assert [p.score for p in found.passages] == sorted((p.score for p in found.passages), reverse=True)
    for rank in ("dense_rank", "text_rank"):
        ranks = sorted(getattr(p, rank) for p in found.passages if getattr(p, rank) is not None)
        assert ranks == list(range(1, len(ranks) + 1)), "one order for both owners"
    for reader in (bob, eve):
        stolen = await search(reader, "fruit apples", scope=Scope.of(ann, [secret]), limit=100, mode=mode)
        assert stolen.passages == []
        assert (await search(reader, "violin", scope=Scope.of(ann, [shared, secret]), mode=mode)).passages


@pytest.mark.parametrize("mode", list(SearchMode))
async def test_tags_of_pages_choose_passages_in_both_halves(library: Library, mode: SearchMode) -> None:
    """Of 300 passages that are nearer and have the word more often, none takes a place from those that are tagged."""
    owner = await library.user()
    texts = [*["fruit apples apples"] * 300, *[f"fruit apples of tree {n}" for n in range(120)]]
    file, other = await library.file(owner, texts), await library.file(owner, TEXTS)
    await tag(library.db, file, {"subject": "trees"}, p302_420={"grade": 5})  # each passage reaches into the next page
    await tag(library.db, other, {"grade": 6})
    search = partial(library.retriever(TopicEmbedder()).search, owner, "fruit apples", limit=200, mode=mode)
    for tags, pages in (
        ({"grade": ["5"]}, set(range(301, 421))),
        ({"grade": ["5"], "subject": ["trees"]}, set(range(301, 421))),
        ({"grade": ["7"]}, set()),
        ({"subject": ["trees"]}, set(range(1, 421))),
    ):
        narrowed = await library.db.query(partial(scope.searched, reader=owner, wanted=Wanted(tags=tags)))
        found = await search(scope=narrowed)
        assert {p.file_id for p in found.passages} <= {file}
        assert {p.page_from for p in found.passages} <= pages
        assert len(found.passages) >= min(TOP, len(pages))
    mixed = Wanted([other, file], tags={"grade": ["5", "6"]})
    found = await search(scope=await library.db.query(partial(scope.searched, reader=owner, wanted=mixed)))
    assert {p.page_from for p in found.passages} <= {*range(301, 421), 1, 2, 3, 4}
    assert {p.page_from for p in found.passages if p.file_id == file} <= set(range(301, 421))


class Gated(TopicEmbedder):
    """It lets a test act while a search is under way."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.gate = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str], *, urgency: Urgency) -> Vectors:
        self.reached.set()
        await self.gate.wait()
        return await super().embed(texts, urgency=urgency)


@pytest.mark.parametrize("change", ["unshare", "take out", "delete collection", "delete file"])
@pytest.mark.parametrize("mode", [SearchMode.HYBRID, SearchMode.DENSE])
async def test_what_is_taken_back_while_it_is_searched_is_not_found(
    library: Library, change: str, mode: SearchMode
) -> None:
    ann, bob = await library.user(), await library.user()
    shared, own = await library.file(ann), await library.file(bob)
    books = await make_collection(library.db, ann, shared)
    share_id = await share(library.db, ann, books, None)
    wanted = Wanted(file_ids=[own], collection_ids=[books])
    both = await library.db.query(partial(scope.searched, reader=bob, wanted=wanted))
    embedder = Gated()
    searching = asyncio.create_task(
        library.retriever(embedder).search(bob, "fruit apples", scope=both, limit=100, mode=mode)
    )
    await embedder.reached.wait()
    match change:
        case "unshare":
            undo = partial(collections.unshare, collection_id=books, share_id=share_id, owner=ann)
        case "take out":
            undo = partial(collections.remove_file, collection_id=books, file_id=shared, user_id=ann)
        case "delete collection":
            undo = partial(collections.remove, collection_id=books, owner=ann)
    if change == "delete file":
        async with library.db.begin() as session:
            await chunks.delete_file(session, shared)
    else:
        await library.db.write(undo)
    embedder.gate.set()
    assert {p.file_id for p in (await searching).passages} == {own}
