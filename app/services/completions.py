"""Chat completions for clients that bring their whole conversation: nothing is kept but what was used.

A prompt is never cut. What does not fit is refused with both figures.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Raw

from app.core.enums import CountedBy
from app.core.errors import AppError, Conflict, ContextOverflow, ModelUnavailable, NotFound, ValidationFailed
from app.crud import scope
from app.crud.scope import Wanted
from app.db.session import Database
from app.rag.retriever import Retriever
from app.schemas.chat import Source as Passage
from app.services import ledger
from app.services.answering import Answering, Order, Record
from app.services.grounding import find_sources, passage_texts
from app.services.llm.base import CountsTokens, Generation, Options, Turn
from app.services.llm.pool import Pool
from app.services.llm.source import Source
from app.services.meter import Meter

CLOSE_TIMEOUT_S: Final = 5.0
SYSTEM_ROLES: Final = frozenset({"system", "developer"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. `written` are the turns as the client wrote them.

    `use_rag` without any files, collections or tags: the whole library.
    """

    model: str
    turns: list[Turn]
    written: list[Raw]
    options: Options
    use_rag: bool = False
    wanted: Wanted = field(default_factory=Wanted)
    store: bool = False
    conversation_id: UUID | None = None

    @property
    def question_at(self) -> int:
        """Where the last message of the user is. Raises ValidationFailed when there is none."""
        for number in range(len(self.turns) - 1, -1, -1):
            if self.turns[number].role == "user":
                return number
        raise ValidationFailed(
            "there is no message of the role 'user' to search files for", details={"param": "messages"}
        )


class Completions:
    """Owns the tasks of all answers of this surface. `record` is told of each when it has ended."""

    def __init__(self, db: Database, pool: Pool, retriever: Retriever, *, record: Record) -> None:
        self.pool = pool
        self._db, self._retriever, self._record = db, retriever, record
        self._running: set[Answering] = set()
        self._closing = False

    async def start(self, user_id: UUID, asked: Asked) -> Answering:
        """Ask the model. All that can be refused before that is refused here, as an AppError."""
        if self._closing:
            raise _restarting()
        source, model = await self.pool.resolve(asked.model)
        meter = Meter(source, model or source.default_model)
        context_tokens = await source.context_tokens(model)
        sources = await self._sources(user_id, asked, source, context_tokens) if asked.use_rag else None
        request = _request(asked, model, sources)
        prompt_tokens = await _checked(request, source, context_tokens)
        order = Order(user_id, source, request, prompt_tokens, sources)
        answering = Answering(self.pool, order, meter, record=self._record)
        self._running.add(answering)
        answering.task.add_done_callback(lambda _: self._running.discard(answering))
        return answering

    def interrupt(self) -> None:
        """The service is ending: start nothing more, end every answer."""
        self._closing = True
        for answering in self._running:
            answering.fail(_restarting())

    async def aclose(self) -> None:
        """Wait until every answer has ended."""
        self.interrupt()
        if self._running:
            await asyncio.wait([answering.task for answering in self._running], timeout=CLOSE_TIMEOUT_S)

    async def _sources(self, user_id: UUID, asked: Asked, source: Source, context_tokens: int) -> list[Passage]:
        """The passages for the question that fit beside the messages. Raises NotFound or Conflict."""
        question = asked.turns[asked.question_at].text
        try:
            found = await self._db.query(partial(scope.searched, reader=user_id, wanted=asked.wanted))
        except (NotFound, Conflict) as error:
            error.details["param"] = "collection_ids" if "collection" in error.message else "file_ids"
            raise
        if not found.is_searched:
            return []
        related_only = not (found.chosen and source.capabilities.generates)
        passages = await find_sources(self._retriever, user_id, question, scope=found, related_only=related_only)
        left = context_tokens - ledger.answer_tokens(context_tokens, asked.options.limit)
        left -= _estimate(asked.turns) + ledger.cost(ledger.SYSTEM + ledger.GROUNDED)
        return ledger.fitting(passages, left // ledger.PASSAGE_SHARE)


def _restarting() -> AppError:
    return ModelUnavailable("the service is restarting; try again in a few seconds", retry_after_s=5)


def _request(asked: Asked, model: str | None, sources: Sequence[Passage] | None) -> Generation:
    request = Generation(turns=asked.turns, model=model, options=asked.options, written=asked.written)
    if sources is None:
        return request
    at = asked.question_at
    turns, written = list(asked.turns), list(asked.written)
    if sources:
        turns[at] = _with_passages(turns[at], sources)
        written[at] = _raw(turns[at])
    said = ledger.GROUNDED if sources else ledger.NOTHING_FOUND
    if turns[0].role in SYSTEM_ROLES:
        turns[0] = msgspec.structs.replace(turns[0], content=turns[0].text + said)
        written[0] = _raw(turns[0])
    else:
        turns.insert(0, Turn("system", ledger.SYSTEM + said))
        written.insert(0, _raw(turns[0]))
    passages = passage_texts(sources)
    return replace(request, turns=turns, written=written, passages=passages, searched=True)


def _with_passages(turn: Turn, sources: Sequence[Passage]) -> Turn:
    """The passages before the question, whose images and other parts stay as they are."""
    if not isinstance(turn.content, list):
        return msgspec.structs.replace(turn, content=ledger.with_passages(turn.text, sources))
    before = Raw(msgspec.json.encode({"type": "text", "text": ledger.with_passages("", sources)}))
    return msgspec.structs.replace(turn, content=[before, *turn.content])


def _raw(turn: Turn) -> Raw:
    return Raw(msgspec.json.encode(turn))


def _estimate(turns: Sequence[Turn]) -> int:
    return sum(ledger.cost(turn.text) for turn in turns)


async def _checked(request: Generation, source: Source, context_tokens: int) -> int:
    """The prompt's length by estimate. Raises ContextOverflow; what a model can count itself is counted."""
    estimate = need = _estimate(request.turns)
    provider: object = source.provider
    exact = source.capabilities.counts_tokens
    if need > context_tokens and exact:
        need = await _counting(provider).count_tokens(request)
    if need > context_tokens:
        raise ContextOverflow(
            f"This model's maximum context length is {context_tokens} tokens. However, your messages resulted in "
            f"{'' if exact else 'about '}{need} tokens. Please reduce the length of the messages.",
            details={
                "needed_tokens": need,
                "available_tokens": context_tokens,
                "counted_by": CountedBy.TOKENIZER if exact else CountedBy.ESTIMATE,
            },
        )
    return estimate


def _counting(provider: object) -> CountsTokens:
    return provider  # type: ignore[return-value]  # `counts_tokens` says that it is one
