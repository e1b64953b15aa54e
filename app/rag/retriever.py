"""Finds the passages of a user's files that a query is about: by meaning, by words, or by both."""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nlargest
from uuid import UUID

from loguru import logger

from app.core.enums import SearchMode
from app.core.errors import AppError, ModelUnavailable
from app.crud import chunks, index
from app.crud.bm25 import Place, Scored
from app.crud.chunks import Located
from app.crud.index import Generation
from app.crud.scope import Reach, Scope
from app.db.session import Database, Session
from app.rag.base import Embedder, Hit, VectorStore
from app.rag.fusion import fuse, ranks

TOP = 100  # of each half
MAX_LETTERS = 1000
IDENTIFY_S = 2.0  # what a search waits for an embedder that is not known yet
UNKNOWN = "The embedding model has not answered yet; try again."
MAX_SWAPS = 3  # of the index while one search runs
EmbedderOf = Callable[[str], Awaitable[Embedder | None]]


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found. `score` is from 0 to 1; a rank is None where that half did not find it."""

    file_id: UUID
    file_name: str
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    score: float
    dense_rank: int | None
    text_rank: int | None
    context: str = ""
    page_label: str | None = None


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
    ) -> None:
        self._db, self._embedder, self._vectors, self._embedder_of = db, embedder, vectors, embedder_of

    async def search(
        self,
        reader: UUID,
        query: str,
        *,
        scope: Scope | None,
        limit: int = 10,
        mode: SearchMode = SearchMode.HYBRID,
        related_only: bool = False,
    ) -> Retrieved:
        """`scope` None: all files of the reader's own. What he may not read at this moment is never found, whatever the
        scope names. Hybrid becomes text when the embedder cannot help with this query.

        Meaning always finds something. `related_only` leaves out what shares no word with the query and is not near it.

        Raises ModelUnavailable, StorageFull or Internal when vectors were asked for alone and cannot be searched.
        """
        wanted = _Wanted(reader, query, scope, limit, mode, related_only)
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
        dense: dict[Place, float] | None = None
        text: dict[Place, float] | None = None
        match mode:
            case SearchMode.TEXT:
                text = await self._by_words(asked)
            case SearchMode.DENSE:
                dense = await self._by_meaning(asked)
            case SearchMode.HYBRID:
                dense, text = await asyncio.gather(self._by_meaning_if_possible(asked), self._by_words(asked))
        if wanted.related_only and dense is not None:
            dense = _related(dense, text or {}, embedder)
        found = _Found(reader, dense, text, _share(query, embedder) if dense and text else 0.5, used.id)
        passages = await self._db.query(partial(_passages, found=found, limit=wanted.limit))
        if passages is None:
            return None
        return Retrieved(passages, SearchMode.TEXT if dense is None else mode, reached.strange)

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
        vector = (await asked.embedder.embed([asked.query], urgency="query"))[0]
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
    related_only: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """`reaches`: what is searched of each owner. `index`: the one that is, `embedder`: who made its vectors."""

    query: str
    reaches: Sequence[Reach]
    index: Generation
    embedder: Embedder | None


@dataclass(frozen=True, slots=True)
class _Found:
    """Scores of each half, None where it was not searched, and the dense half's share of the sum."""

    reader: UUID
    dense: dict[Place, float] | None
    text: dict[Place, float] | None
    share: float
    generation: int


def _passages(session: Session, *, found: _Found, limit: int) -> list[Passage] | None:
    """Fuses the halves. A chunk that is not in a ready file any more, or may not be read any more, is passed over.

    None: the index was swapped meanwhile. What is read before that is seen is whole: removal comes after the swap.
    """
    dense, text = found.dense or {}, found.text or {}
    halves = [(weight, half) for weight, half in ((found.share, dense), (1 - found.share, text)) if half]
    fused = fuse(halves)
    places = list(fused)[:limit]
    rows = chunks.by_places(session, found.reader, places, generation=found.generation) if fused else []
    if index.current_id(session) != found.generation:
        return None
    row_at = {(row.file_id, row.ordinal): row for row in rows}
    dense_ranks, text_ranks = ranks(dense), ranks(text)
    return [
        _passage(row_at[place], score, dense_ranks.get(place), text_ranks.get(place))
        for place, score in fused.items()
        if place in row_at
    ]


def _related(dense: dict[Place, float], text: dict[Place, float], embedder: Embedder | None) -> dict[Place, float]:
    floor = embedder.related_from if embedder is not None else 0.0
    return {place: score for place, score in dense.items() if score >= floor or place in text}


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


def _passage(row: Located, score: float, dense_rank: int | None, text_rank: int | None) -> Passage:
    return Passage(
        file_id=row.file_id,
        file_name=row.file_name,
        page_from=row.page_from,
        page_to=row.page_to,
        char_from=row.char_from,
        char_to=row.char_to,
        text=row.text,
        score=score,
        dense_rank=dense_rank,
        text_rank=text_rank,
        context=row.context,
        page_label=row.page_label,
    )
