"""Finds the passages of a user's files that a query is about: by meaning, by words, or by both."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import nlargest
from uuid import UUID

from loguru import logger

from app.core.enums import SearchMode
from app.core.errors import AppError, ModelUnavailable
from app.crud import chunks, index
from app.crud.bm25 import Place, Scored
from app.crud.index import Generation
from app.crud.scope import Reach, Scope
from app.db.session import Database
from app.rag import naming, ranked
from app.rag.base import Embedder, Hit, Reranker, Vectors, VectorStore
from app.rag.found import Passage
from app.rag.ranked import Found, Halves, Scores
from app.rag.relatedness import Floor, Library, Meaning, related
from app.rag.reranking import RERANKED, reranked

__all__ = ["Passage", "Retrieved", "Retriever", "reads"]

TOP = 100  # of each half
MAX_LETTERS = 1000
IDENTIFY_S = 2.0  # what a search waits for an embedder that is not known yet
UNKNOWN = "The embedding model has not answered yet; try again."
MAX_SWAPS = 3  # of the index while one search runs
EmbedderOf = Callable[[str], Awaitable[Embedder | None]]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Passages, best first, and the mode that was really used.

    `text_only_files`: how many of the searched files have no vectors of this embedder, so that only words find them.
    """

    passages: list[Passage]
    mode: SearchMode
    text_only_files: int = 0


class Retriever:
    """Searches the ready files that a user may read. Without an embedder or vectors it searches by words alone.

    Each search asks one index, and its question is embedded by whoever made that: `embedder_of` finds it by its
    fingerprint, when it is not `embedder`. None: nobody can any more.
    """

    def __init__(
        self,
        db: Database,
        *,
        embedder: Embedder | None,
        vectors: VectorStore | None,
        embedder_of: EmbedderOf | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._db, self._embedder, self._vectors = db, embedder, vectors
        self._embedder_of, self._reranker = embedder_of, reranker

    async def search(
        self,
        reader: UUID,
        query: str,
        *,
        scope: Scope | None,
        limit: int = 10,
        mode: SearchMode = SearchMode.HYBRID,
        floor: Floor | None = None,
    ) -> Retrieved:
        """`scope` None: all files of the reader's own. What he may not read at this moment is never found, whatever the
        scope names. Hybrid becomes text when the embedder cannot help with this query.

        Meaning always finds something. `floor` leaves out what has little to do with the query: see `related`.

        Raises ModelUnavailable, StorageFull or Internal when vectors were asked for alone and cannot be searched.
        """
        wanted = _Wanted(reader, query, scope, limit, mode, floor)
        for _ in range(MAX_SWAPS):
            found = await self._search(wanted)
            if found is not None:
                return found
        raise ModelUnavailable("The index was replaced several times during this search; try again.", retry_after_s=1)

    async def _search(self, wanted: "_Wanted") -> Retrieved | None:
        """None: another index is current now, so that what was found may be a part."""
        reader, query, mode = wanted.reader, wanted.query, wanted.mode
        generation = await self._db.query(index.current)
        space, embedder = await self._reader(mode, query, generation)
        used = generation or Generation(0, space or "")
        narrowed = partial(chunks.searchable, reader=reader, scope=wanted.scope, space=space, generation=used.id)
        reached = await self._db.query(narrowed)
        if space is None or (mode is SearchMode.HYBRID and reached.total == reached.strange > 0):
            mode = SearchMode.TEXT
        if not reached.reaches or not query.strip():
            return Retrieved([], mode, reached.strange)
        asked = _Asked(query, reached.reaches, used, embedder)
        halves = await self._halves(asked, mode)
        share = _share(query, embedder) if halves.dense and halves.text else 0.5
        found = Found(reader, halves, share, used.id)
        if named := naming.named(query, reached.names):
            again = SearchMode.TEXT if halves.dense is None else mode
            within = await self._halves(replace(asked, reaches=reached.only(named)), again)
            found = replace(found, named=named, within=within)
        most = wanted.limit if self._judge(wanted) is None else max(wanted.limit, RERANKED)
        passages = await self._db.query(partial(ranked.passages, found=found, limit=most))
        if passages is None:
            return None
        meaning = _meaning(query, halves.dense, embedder, has_others=reached.strange > 0)
        passages = await self._judged(wanted, passages, asked, meaning)
        return Retrieved(passages, SearchMode.TEXT if halves.dense is None else mode, reached.strange)

    async def _halves(self, asked: "_Asked", mode: SearchMode) -> Halves:
        match mode:
            case SearchMode.TEXT:
                return Halves(None, await self._by_words(asked))
            case SearchMode.DENSE:
                return Halves(await self._by_meaning(asked), None)
            case SearchMode.HYBRID:
                return Halves(*await asyncio.gather(self._by_meaning_if_possible(asked), self._by_words(asked)))

    def _judge(self, wanted: "_Wanted") -> Reranker | None:
        return self._reranker if wanted.mode is SearchMode.HYBRID else None

    async def _judged(
        self, wanted: "_Wanted", passages: list[Passage], asked: "_Asked", meaning: Meaning | None
    ) -> list[Passage]:
        """In the order of the reranker, if there is one, and without what is below the floor."""
        if (judge := self._judge(wanted)) is not None:
            passages = (await reranked(judge, wanted.query, passages))[: wanted.limit]
        if wanted.floor is None:
            return passages
        library = Library([reach.owner for reach in asked.reaches], asked.index.id)
        work = partial(related, library=library, query=wanted.query, found=passages, by=meaning, floor=wanted.floor)
        return await self._db.query(work)

    async def _reader(
        self, mode: SearchMode, query: str, generation: Generation | None
    ) -> tuple[str | None, Embedder | None]:
        """Whose vectors the query can be compared with. None: words alone. Raises ModelUnavailable for dense alone.

        "": there are vectors, but nobody can embed a question for them any more.
        """
        if mode is SearchMode.TEXT or self._embedder is None or self._vectors is None:
            return None, None
        try:
            async with asyncio.timeout(IDENTIFY_S):
                embedder = await self._embedder_for(generation)
        except (ModelUnavailable, TimeoutError) as error:
            unknown = error if isinstance(error, ModelUnavailable) else ModelUnavailable(UNKNOWN, retry_after_s=5)
            if mode is SearchMode.DENSE:
                raise unknown from None
            logger.warning("search goes on with words alone: {}", unknown)
            return None, None
        if embedder is None:
            return "", None
        if mode is SearchMode.HYBRID and not reads(embedder.scripts, query):
            return None, None
        return embedder.fingerprint, embedder

    async def _embedder_for(self, generation: Generation | None) -> Embedder | None:
        embedder = self._embedder
        if embedder is None:
            return None
        if generation is not None and self._embedder_of is not None:
            return await self._embedder_of(generation.embedder)
        kind = embedder.fingerprint or await embedder.identify()
        return embedder if generation is None or generation.embedder == kind else None

    async def _by_meaning_if_possible(self, asked: "_Asked") -> dict[Place, float] | None:
        try:
            return await self._by_meaning(asked)
        except AppError as error:
            logger.warning("search goes on with words alone: {}", error)
            return None

    async def _by_meaning(self, asked: "_Asked") -> dict[Place, float]:
        if asked.embedder is None or self._vectors is None:
            return {}
        if asked.query not in asked.vectors:
            asked.vectors[asked.query] = (await asked.embedder.embed([asked.query], urgency="query"))[0]
        vector = asked.vectors[asked.query]
        hits: list[Hit] = []
        for reach in asked.reaches:
            hits += await self._vectors.query(
                reach.owner, vector, reach.file_ids, TOP, space=asked.index.space, spans=reach.spans
            )
        best = nlargest(TOP, hits, key=lambda hit: hit.score)
        return {(hit.file_id, hit.ordinal): hit.score for hit in best}

    async def _by_words(self, asked: "_Asked") -> dict[Place, float]:
        hits: list[Scored] = []
        for reach in asked.reaches:
            search = partial(chunks.search_text, reach=reach, query=asked.query, limit=TOP, generation=asked.index.id)
            hits += await self._db.query(search)
        return dict(nlargest(TOP, hits, key=lambda hit: hit[1]))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What `search` was asked for."""

    reader: UUID
    query: str
    scope: Scope | None
    limit: int
    mode: SearchMode
    floor: Floor | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """`reaches`: what is searched of each owner. `index`: the one that is, `embedder`: who made its vectors."""

    query: str
    reaches: Sequence[Reach]
    index: Generation
    embedder: Embedder | None
    vectors: dict[str, Vectors] = field(default_factory=dict)  # of the query, once it was embedded


def _meaning(query: str, dense: Scores | None, embedder: Embedder | None, *, has_others: bool) -> Meaning | None:
    if embedder is None or not dense:
        return None
    at_most = None if has_others else min(dense.values()) if len(dense) >= TOP else 0.0
    return Meaning(embedder.related_from, embedder.familiarity(query), at_most)


def _share(query: str, embedder: Embedder | None) -> float:
    """What meaning counts for: half when the embedder knows the query's words, else less.

    Against half and half always: nDCG +.007 on German, +.001 to +.003 on English, and a language that the embedder
    hardly knows is not spoiled.
    """
    return embedder.familiarity(query) / 2 if embedder is not None else 0.0


def reads(scripts: frozenset[str] | None, query: str) -> bool:
    """Whether at least half of a query's letters are of these scripts: the first word of a letter's Unicode name."""
    if scripts is None:
        return True
    letters = [letter for letter in query if letter.isalpha()][:MAX_LETTERS]
    known = sum(unicodedata.name(letter, "").partition(" ")[0] in scripts for letter in letters)
    return 2 * known >= len(letters)
