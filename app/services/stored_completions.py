"""Completions that are kept: the request becomes a conversation of its user, and its answer a run like any other.

Every token that the client saw is on disk, and the answer is written to its end without the client.
"""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import msgspec
from pydantic import ValidationError

from app.core.enums import Author, CountedBy, MessageStatus
from app.core.enums import FinishReason as Ended
from app.core.errors import AppError, ContextOverflow, ModelUnavailable, UpstreamUnavailable, ValidationFailed, by_code
from app.crud import conversations, message_search, messages
from app.crud.messages import NewMessage
from app.db.base import now
from app.db.session import Database, Session
from app.schemas.chat import (
    ChatRequest,
    CitationChecked,
    ReasoningDelta,
    RunDone,
    RunFailed,
    Source,
    StatusChanged,
    UsageCounted,
)
from app.schemas.chat import TextDelta as TextPiece
from app.services import ledger, turns
from app.services.answering import Finished
from app.services.chat import ChatService
from app.services.completions import SYSTEM_ROLES, Asked
from app.services.llm.base import Delta, FinishReason, Options, TokenUsage, Turn
from app.services.llm.pool import Pool
from app.services.streams.base import StoredFrame, read_frames

KEPT_OPTIONS = frozenset({"temperature", "max_tokens", "max_completion_tokens"})
AUTHORS = {"user": Author.USER, "assistant": Author.ASSISTANT}
NO_USAGE = UsageCounted(0, 0, CountedBy.ESTIMATE, None, None)


class StoredAnswer:
    """A run's frames as the steps of an answer: see Answering. The run goes on when nobody reads."""

    def __init__(self, conversation_id: UUID, frames: AsyncIterator[bytes], asked: tuple[str, str | None]) -> None:
        self.conversation_id = conversation_id
        self.sources: Sequence[Source] | None = None
        self.position: int | None = None
        self._frames, self._asked = frames, asked
        self._steps: deque[StoredFrame] = deque()
        self._usage = NO_USAGE
        self._citations: list[CitationChecked] = []

    async def read(self) -> Delta | Finished | None:
        """See Answering."""
        while True:
            while self._steps:
                step = self._take(self._steps.popleft())
                if step is not None:
                    return step
            blob = await anext(self._frames, None)
            if blob is None:
                raise UpstreamUnavailable("the answer broke off; it is kept in its conversation")
            if blob.startswith(b":"):
                return None
            self._steps.extend(read_frames(blob))

    def cancel(self) -> None:
        """Nothing: the answer is kept, so it is written to its end."""

    def _take(self, frame: StoredFrame) -> Delta | Finished | None:
        match frame.kind:
            case "delta":
                return Delta(msgspec.json.decode(frame.data, type=TextPiece).text)
            case "reasoning":
                return Delta(reasoning=msgspec.json.decode(frame.data, type=ReasoningDelta).text)
            case "status":
                self.position = msgspec.json.decode(frame.data, type=StatusChanged).position
            case "sources":
                self.sources = msgspec.json.decode(frame.data, type=list[Source])
            case "citation":
                self._citations.append(msgspec.json.decode(frame.data, type=CitationChecked))
            case "usage":
                self._usage = msgspec.json.decode(frame.data, type=UsageCounted)
            case "error":
                failed = msgspec.json.decode(frame.data, type=RunFailed)
                raise by_code(failed.code)(failed.message)
            case "done":
                return self._finished(msgspec.json.decode(frame.data, type=RunDone))
        return None

    def _finished(self, done: RunDone) -> Finished:
        if done.finish_reason is Ended.INTERRUPTED:
            raise ModelUnavailable("the service is restarting; the answer so far is kept in its conversation")
        usage = self._usage
        tokens = TokenUsage(usage.prompt_tokens, usage.completion_tokens, counted_by=usage.counted_by)
        reason: FinishReason = "length" if done.finish_reason is Ended.LENGTH else "stop"
        return Finished(reason, usage, tokens, *self._asked, citations=tuple(self._citations))


class StoredCompletions:
    """Asks through the chat, which stores before it asks."""

    def __init__(self, db: Database, pool: Pool, chat: ChatService) -> None:
        self._db, self._pool, self._chat = db, pool, chat

    async def start(self, user_id: UUID, asked: Asked) -> StoredAnswer:
        """Without `conversation_id` the messages before the question become a new conversation, else they are those
        that the conversation has. Raises ValidationFailed for what cannot be kept."""
        _check_options(asked.options)
        system, history, question = _parts(asked.turns)
        source, model = await self._pool.resolve(asked.model)
        await self._check_fits(asked, await source.context_tokens(model))
        conversation_id = asked.conversation_id
        if conversation_id is None and history:
            conversation_id = uuid4()
            await self._db.write(partial(_store, id=conversation_id, user_id=user_id, history=history))
        try:
            wanted = asked.wanted
            request = ChatRequest(
                message=question,
                conversation_id=conversation_id,
                model_source=source.name,
                model=model,
                file_ids=None if wanted.file_ids is None else list(wanted.file_ids),
                collection_ids=None if wanted.collection_ids is None else list(wanted.collection_ids),
                tags=None if wanted.tags is None else {key: list(values) for key, values in wanted.tags.items()},
                use_rag=asked.use_rag,
                system_prompt=system,
                temperature=asked.options.temperature,
                max_tokens=asked.options.limit,
            )
            started = await self._chat.start(user_id, request, key=None)
        except (AppError, ValidationError) as error:
            if asked.conversation_id is None and conversation_id is not None:
                remove = partial(conversations.remove, conversation_id=conversation_id, user_id=user_id)
                await self._db.write(remove)
            if isinstance(error, AppError):
                raise
            first = error.errors()[0]
            raise _refused("messages", f"this cannot be kept: {first['loc']}: {first['msg']}") from None
        frames = await self._chat.follow(user_id, started)
        return StoredAnswer(started.conversation_id, frames, (source.name, model or source.default_model))

    async def _check_fits(self, asked: Asked, context_tokens: int) -> None:
        """A chat leaves out its oldest turns; here nothing is left out unsaid."""
        need = sum(ledger.cost(turn.text) for turn in asked.turns)
        have = context_tokens - ledger.answer_tokens(context_tokens, asked.options.limit)
        if need > have:
            raise ContextOverflow(
                f"This model's maximum context length is {context_tokens} tokens, of which {have} are for messages. "
                f"However, your messages resulted in about {need} tokens. Please reduce the length of the messages.",
                details={"needed_tokens": need, "available_tokens": have, "counted_by": CountedBy.ESTIMATE},
            )


def _refused(param: str, said: str) -> ValidationFailed:
    return ValidationFailed(said, details={"param": param})


def _check_options(options: Options) -> None:
    given = [name for name in Options.__struct_fields__ if name not in {"others", *KEPT_OPTIONS}]
    used = [name for name in given if getattr(options, name) is not None and getattr(options, name) is not False]
    for name in [*used, *options.others]:
        raise _refused(name, f"{name!r} cannot be used with 'store'; leave one of them out")


def _parts(given: Sequence[Turn]) -> tuple[str | None, list[Turn], str]:
    """System prompt, history and question. Raises ValidationFailed for what a conversation has no place for."""
    for number, turn in enumerate(given):
        if turn.tool_calls or isinstance(turn.content, list) or turn.role not in {*AUTHORS, *SYSTEM_ROLES}:
            said = "only text of system, user and assistant can be kept; leave out 'store'"
            raise _refused(f"messages[{number}]", said)
    system = "\n\n".join(turn.text for turn in given if turn.role in SYSTEM_ROLES) or None
    spoken = [turn for turn in given if turn.role in AUTHORS]
    if not spoken or spoken[-1].role != "user":
        raise _refused("messages", "with 'store' the last message must be the user's")
    return system, spoken[:-1], spoken[-1].text


def _store(session: Session, *, id: UUID, user_id: UUID, history: Sequence[Turn]) -> None:  # noqa: A002
    """The history as a conversation's messages, each answering the one before."""
    conversations.add(session, id=id, user_id=user_id, title=turns.title_of(history[0].text))
    begun, parent_id = now() - timedelta(milliseconds=len(history)), None
    for number, turn in enumerate(history):
        message = NewMessage(
            id=uuid4(),
            user_id=user_id,
            conversation_id=id,
            parent_id=parent_id,
            role=AUTHORS[turn.role],
            content=turn.text,
            status=MessageStatus.COMPLETE,
            created_at=begun + timedelta(milliseconds=number),
        )
        messages.add(session, [message])
        message_search.index(session, message.id, id, user_id, turn.text)
        parent_id = message.id
    if parent_id is not None:
        conversations.touch(session, id, parent_id)
