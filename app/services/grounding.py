"""The numbered passages that an answer may rest on, and the query that found them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Literal
from uuid import UUID

from app.core.enums import Author, PassageMode, QueryBy, Surface
from app.crud.scope import Scope
from app.db.session import Database
from app.rag.found import Passage
from app.rag.merging import condensed
from app.rag.relatedness import RELATED, STRICT, asks_for_all
from app.rag.retriever import Retriever
from app.schemas.chat import Source
from app.services import questions, whole_files
from app.services.answering import Record, Spent
from app.services.ledger import PastTurn
from app.services.llm.base import PassageText
from app.services.llm.pool import Pool
from app.services.llm.source import Source as ModelSource
from app.services.rewriting import Rewritten, rewrite
from app.services.turns import Asked, Turn

PASSAGES: Final = 8  # of at most 1,000 characters each: the right page is there as often as more of them would have it
CANDIDATES: Final = 24  # of which some say the same
QueryRewrite = Literal["auto", "off", "always"]


@dataclass(frozen=True, slots=True)
class Need:
    """A question, what was said before it, and the files that may answer it."""

    user_id: UUID
    question: str
    scope: Scope
    history: Sequence[PastTurn] = ()
    mode: PassageMode = PassageMode.AUTO
    strict: bool = False
    surface: Surface = Surface.CHAT


@dataclass(frozen=True, slots=True)
class Answerer:
    """The model that will answer."""

    source: ModelSource
    model: str | None
    context_tokens: int

    @property
    def generates(self) -> bool:
        return self.source.capabilities.generates


@dataclass(frozen=True, slots=True)
class Grounded:
    """Sources, numbered from 1: best first or, when `is_whole`, all pages of the files in their order.

    `is_cut`: the last ones did not fit.
    """

    sources: list[Source]
    query: str
    query_by: QueryBy
    is_whole: bool = False
    is_cut: bool = False
    text_only_files: int = 0
    rewritten: Rewritten | None = None

    def entry(self) -> dict[str, object]:
        """The ledger's record of the search."""
        said: dict[str, object] = {
            "query": self.query,
            "query_by": self.query_by,
            "whole_files": self.is_whole,
            "text_only_files": self.text_only_files,
        }
        if self.rewritten is not None:
            tokens = self.rewritten.tokens
            said["rewriting"] = {
                "model_source": self.rewritten.source.name,
                "model": self.rewritten.model,
                "prompt_tokens": tokens.prompt_tokens,
                "completion_tokens": tokens.completion_tokens,
                "counted_by": tokens.counted_by,
            }
        return said


def need_of(asked: Asked, turn: Turn) -> Need:
    """What a chat's turn asks for."""
    request = asked.request
    return Need(
        turn.user_id,
        turn.question,
        turn.scope,
        history=turn.history,
        mode=request.mode,
        strict=request.strict,
    )


class Grounding:
    """Finds what an answer may rest on. `record` is told of the tokens that this takes."""

    def __init__(
        self, db: Database, pool: Pool, retriever: Retriever, *, record: Record, query_rewrite: QueryRewrite = "auto"
    ) -> None:
        self._db, self._pool, self._retriever = db, pool, retriever
        self._record, self._query_rewrite = record, query_rewrite

    async def find(self, need: Need, by: Answerer) -> Grounded:
        """Short files whole, when they were chosen, else the best passages for the question."""
        if not need.scope.parts:
            return Grounded([], need.question, QueryBy.QUESTION)
        asked = await self._asked(need, by)
        whole = await self._whole(need, by)
        if whole is not None and (not need.strict or asks_for_all(need.question)):
            return replace(asked, sources=whole, is_whole=True)
        # Whoever chose the files may ask a model about them in words that are nowhere in them: "Summarise this".
        any_passage = need.scope.chosen and by.generates
        floor = STRICT if need.strict else None if any_passage else RELATED
        found = await self._retriever.search(need.user_id, asked.query, scope=need.scope, limit=CANDIDATES, floor=floor)
        asked = replace(asked, text_only_files=found.text_only_files)
        if whole is not None and found.passages:
            return replace(asked, sources=whole, is_whole=True)
        merge = partial(condensed, reader=need.user_id, passages=found.passages, limit=PASSAGES)
        passages = await self._db.query(merge)
        return replace(asked, sources=numbered(passages))

    async def _whole(self, need: Need, by: Answerer) -> list[Source] | None:
        if need.scope.tags or not (need.scope.chosen and by.generates and need.mode is PassageMode.AUTO):
            return None
        room = whole_files.room_tokens(by.context_tokens)
        read = partial(whole_files.whole, reader=need.user_id, file_ids=need.scope.file_ids, room=room)
        return await self._db.query(read)

    async def _asked(self, need: Need, by: Answerer) -> Grounded:
        """The query, and by whom."""
        question, history = need.question, need.history
        plain = Grounded([], question, QueryBy.QUESTION)
        earlier = [turn.content for turn in history if turn.role == Author.USER]
        leans = bool(earlier) and questions.is_follow_up(question)
        if not earlier or not (leans or self._query_rewrite == "always"):
            return plain
        rewritten = await self._rewritten(need, by)
        if rewritten is not None and rewritten.query is not None:
            return replace(plain, query=rewritten.query, query_by=QueryBy.MODEL, rewritten=rewritten)
        if not leans:
            return replace(plain, rewritten=rewritten)
        query = questions.with_terms(question, earlier)
        return replace(plain, query=query, query_by=QueryBy.TERMS, rewritten=rewritten)

    async def _rewritten(self, need: Need, by: Answerer) -> Rewritten | None:
        if self._query_rewrite == "off" or not by.generates:
            return None
        at = (by.source, by.model)
        rewritten = await rewrite(self._pool, at, need.user_id, need.question, need.history)
        if rewritten is not None:
            source, model, tokens = rewritten.source, rewritten.model, rewritten.tokens
            cost = source.cost(model, tokens)
            spent = Spent(need.user_id, source.name, model, tokens, cost, failed=False)
            await self._record(replace(spent, surface=need.surface, messages=0))
        return rewritten


def numbered(passages: Sequence[Passage]) -> list[Source]:
    return [
        Source(
            n=n,
            file_id=p.file_id,
            file_name=p.file_name,
            page_from=p.page_from,
            page_to=p.page_to,
            char_from=p.char_from,
            char_to=p.char_to,
            text=p.text,
            score=round(p.score, 4),
            context=p.context,
            page_label=p.page_label,
        )
        for n, p in enumerate(passages, 1)
    ]


def passage_texts(sources: Sequence[Source]) -> list[PassageText]:
    """For providers that answer from passages alone."""
    return [PassageText(s.n, s.file_name, s.page_from, s.page_to, s.text, s.page_label) for s in sources]
