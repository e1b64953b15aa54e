"""What a reranker does to the order of passages."""

from collections.abc import Sequence
from uuid import UUID

from app.core.enums import SearchMode
from app.core.errors import UpstreamTimeout
from app.db.session import Database
from app.rag.found import Passage
from app.rag.reranking import RERANKED, reranked
from app.rag.retriever import Retriever
from tests.rag.topics import Library


class Judge:
    """A Reranker that likes some words, or fails."""

    def __init__(self, *liked: str, fails: bool = False) -> None:
        self.liked, self.fails = liked, fails
        self.read: list[str] = []

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        self.read += texts
        if self.fails:
            raise UpstreamTimeout("too slow")
        return [sum(word in text for word in self.liked) - 7.0 for text in texts]


def passages(count: int) -> list[Passage]:
    return [
        Passage(UUID(int=1), "f", 1, 1, n, n, f"<{n}>", 1 - n / 100, n, n, ordinal=n, context="head" if n == 1 else "")
        for n in range(count)
    ]


async def test_the_first_thirty_are_put_into_order_before_the_rest() -> None:
    judge = Judge("<7>", "<29>", "<31>", "head")
    found = await reranked(judge, "q", passages(35))
    assert [p.ordinal for p in found] == [1, 7, 29, 0, *range(2, 7), *range(8, 29), *range(30, 35)]
    assert judge.read[:2] == ["<0>", "head\n<1>"]
    assert len(judge.read) == RERANKED
    scores = [p.score for p in found]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], round(scores[-1], 2)) == (1.0, 0.66)


async def test_the_order_stays_when_the_reranker_fails_or_has_nothing_to_do() -> None:
    for count, judge in ((35, Judge(fails=True)), (1, Judge("x")), (0, Judge("x"))):
        assert await reranked(judge, "q", passages(count)) == passages(count)
    assert [p.score for p in await reranked(Judge(), "q", passages(2))] == [1.0, 1.0]


async def test_a_hybrid_search_is_reranked(sqlite_db: Database) -> None:
    library = Library(sqlite_db, None)
    owner = await library.user()
    await library.file(owner)
    retriever = Retriever(sqlite_db, embedder=None, vectors=None, reranker=Judge("apples and pears"))
    query = "harvest of apples"
    assert [p.page_from for p in (await retriever.search(owner, query, scope=None, limit=1)).passages] == [3]
    text = await retriever.search(owner, query, scope=None, limit=1, mode=SearchMode.TEXT)
    assert [p.page_from for p in text.passages] == [1]
