"""Which index is searched and written to, and by which embedder: vectors of two are never mixed.

The rows say which index that is. The settings name an embedder; when the index was made by another one, that one is
kept as well, for questions and new files, until a new index has been built beside it (`rebuilding.py`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from loguru import logger

from app.core.enums import FileStatus, IndexState
from app.core.errors import AppError, ModelUnavailable
from app.core.settings import DocumentSettings
from app.crud import files, probes
from app.crud import index as rows
from app.crud.files import embedder_of
from app.crud.index import Generation
from app.db.models import File
from app.db.session import Database
from app.rag.base import Embedder, LimitedEmbedder, TokenLimit, VectorStore
from app.services.index_writer import TEXT, Writer, patiently

ASK_AGAIN_S: Final = 5.0
FIRST_ASKED_S: Final = 1.0  # the service answers first: what speaks to a source is slow to import
NOBODY: Final = UUID(int=0)
MINILM: Final = "all-MiniLM-L6-v2@"
Recipe = dict[str, object]
Former = Callable[[Recipe], LimitedEmbedder | None]


def no_former(_: Recipe) -> LimitedEmbedder | None:
    """Where only one embedder is known."""
    return None


@dataclass(slots=True)
class Index:
    """Without an embedder there is a text index alone. `patience_s`: how long a file waits for one that is down.

    `embedder` is the one that the settings ask for and `recipe` how it is built; `former` builds one by another recipe.
    """

    embedder: Embedder | None
    token_limit: TokenLimit | None
    vectors: VectorStore | None
    patience_s: float = 300.0
    recipe: Recipe | None = None
    former: Former = no_former
    _others: list[LimitedEmbedder] | None = None
    _known: str | None = None

    async def wanted(self, rules: DocumentSettings) -> str:
        """The whole fingerprint that the settings ask for. Raises ModelUnavailable while the embedder does not say."""
        kind = TEXT if self.embedder is None else await self.embedder.identify()
        return self.writer(Generation(0, kind)).fingerprint(rules)

    def writer(self, generation: Generation) -> Writer:
        """For an index that the settings' embedder makes."""
        return Writer(generation, self.embedder, self.token_limit, self.vectors, self.patience_s)

    async def current(self, db: Database, rules: DocumentSettings) -> Writer:
        """For the index that is searched. Without vectors when its embedder is gone, until a new index is built.

        Raises ModelUnavailable when the embedder does not say what it is in `patience_s`.
        """
        generation = await db.query(rows.current)
        if generation is None:
            wanted = await patiently(partial(self.wanted, rules), self.patience_s)
            async with db.begin() as session:
                await rows.adopt(session, wanted, self.recipe)
            generation = await db.query(rows.current) or Generation(0, embedder_of(wanted))
        self._known = generation.embedder
        if self.embedder is not None and self.embedder.fingerprint in {None, generation.embedder}:
            made_by = await patiently(partial(self.embedder_of, generation.embedder), self.patience_s)
        else:
            made_by = await self._embedder_if_any(generation.embedder)
        if made_by is None or made_by is self.embedder:
            limit = None if made_by is None else self.token_limit
            return Writer(generation, made_by, limit, self.vectors, self.patience_s)
        limits = next((other for other in self._others or [] if other is made_by), None)
        return Writer(generation, made_by, limits, self.vectors, self.patience_s)

    async def prepare(self, db: Database) -> None:
        """At start: take what is indexed already for the first index, and get the embedder of the current one ready."""
        async with db.begin() as session:
            found = await rows.by_state(session, IndexState.CURRENT)
            if not found and (commonest := await rows.commonest_fingerprint(session)) is not None:
                await rows.adopt(session, commonest, recipe_of(commonest))
                found = await rows.by_state(session, IndexState.CURRENT)
        if not found:
            return
        self._known = embedder_of(found[0].fingerprint)
        recipe = found[0].recipe
        if recipe is not None and recipe != self.recipe and (other := self.former(recipe)) is not None:
            self._others = [other]

    async def embedder_of(self, kind: str) -> Embedder | None:
        """Who can embed a question for an index of this kind. None: nobody can any more.

        Raises ModelUnavailable while somebody who may be it has not said so.
        """
        everybody: list[Embedder] = [each for each in (*(self._others or ()), self.embedder) if each is not None]
        for each in everybody:
            if each.fingerprint == kind:
                return each
        silent: ModelUnavailable | None = None
        for each in everybody:
            if each.fingerprint is None:
                try:
                    if await each.identify() == kind:
                        return each
                except ModelUnavailable as error:
                    silent = error
        if silent is not None:
            raise silent
        return None

    async def remove(self, owner: UUID, file_id: UUID) -> None:
        """All vectors of a file, whoever made them. Raises when the store cannot be reached or still has some."""
        if self.vectors is not None:
            await self.vectors.delete(owner, file_id)

    def needs_reindex(self, file: File) -> bool:
        """Whether a ready file has no vectors of the current index. False while nobody knows what that is."""
        known = self.known
        return known is not None and file.status == FileStatus.READY and embedder_of(file.fingerprint) != known

    @property
    def known(self) -> str | None:
        """The fingerprint of the current index's embedder. None: there is none, or it has not answered yet."""
        return None if self.embedder is None else self._known or self.embedder.fingerprint

    def swapped(self, generation: Generation) -> None:
        """This is the current index now."""
        self._known = generation.embedder

    async def check(self) -> None:
        """Raises ModelUnavailable when nothing can be embedded now for the index that is searched."""
        if self.embedder is not None:
            embedder = self.embedder if self._known is None else await self.embedder_of(self._known)
            if embedder is not None:
                await embedder.embed(["ready"], urgency="query")

    async def describe(self, db: Database) -> str:
        """Which embedder, and which files it cannot search. Raises ModelUnavailable when it does not work now."""
        if self.embedder is None:
            return "no model is installed: search by words alone"
        kind = await self.embedder.identify()
        if self.embedder.fault is not None:
            raise ModelUnavailable(self.embedder.fault)
        current = await db.query(rows.current)
        if current is None:
            return kind
        total, strange = await db.query(partial(files.ready_counts, embedder=current.embedder))
        said = [kind]
        if current.embedder != kind:
            usable = await self._embedder_if_any(current.embedder) is not None
            said.append(f"the index is still of {current.embedder}" + ("" if usable else ", by words alone"))
        if strange:
            said.append(advice(strange, total))
        async with db.read() as session:
            if building := await rows.by_state(session, IndexState.BUILDING):
                done = await rows.done(session, building[0].id)
                said.append(f"a new index is being built: {done.files_done} of {done.files_total} files")
        return "; ".join(said)

    async def warm_up(self, db: Database) -> None:
        """At start: have the first question not wait for the embedder and the vectors' process, and say how it is.

        An embedder that is down is asked again until it answers.
        """
        if self.embedder is None or self.vectors is None:
            return
        if self.embedder.fingerprint is None:
            await asyncio.sleep(FIRST_ASKED_S)
        try:
            kind = await patiently(self.embedder.identify, ask_again_s=ASK_AGAIN_S)
            logger.info("texts are embedded by {}", kind)
            total, strange = await db.query(partial(files.ready_counts, embedder=self.known or kind))
            if strange:
                logger.warning(advice(strange, total))
            if await db.query(probes.has_chunks):
                await self.check()
                await self.vectors.count(NOBODY, NOBODY)
        except AppError as error:  # told again by whatever needs them, and by /ready
            logger.warning("search is not ready: {}", error)

    async def _embedder_if_any(self, kind: str) -> Embedder | None:
        try:
            return await self.embedder_of(kind)
        except ModelUnavailable:
            return None


def recipe_of(whole: str) -> Recipe | None:
    """How the embedder of an older fingerprint was built: `source/model@dimension`. None: there was none."""
    kind = embedder_of(whole)
    if kind == TEXT or not kind:
        return None
    if kind.startswith(MINILM):
        return {"source": None, "model": None}
    source, _, rest = kind.partition("/")
    return {"source": source, "model": rest.rpartition("@")[0]}


def advice(strange: int, total: int) -> str:
    return (
        f"of {total} ready files, {strange} have vectors of another model or none and are found by words alone: "
        "GET /api/v1/files?needs_reindex=true lists them, POST /api/v1/files/FILE_ID/retry embeds one again"
    )
