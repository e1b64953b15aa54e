"""A chat turn: start it, follow it, stop it. The message is stored before the model is called."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import msgspec

from app.core.enums import FinishReason, RunStatus
from app.core.errors import AppError, ModelUnavailable, TooLarge, ValidationFailed, by_code
from app.crud import messages, runs
from app.db.models import Ledger, Message, Run
from app.db.session import Session
from app.observability.context import request_id
from app.schemas.chat import (
    ChatRequest,
    CitationChecked,
    RunDone,
    RunFailed,
    RunStarted,
    Source,
    SourcesFound,
    UsageCounted,
)
from app.services import recovery, turns
from app.services.generation import RunTask, Tools
from app.services.ledger import check_fits
from app.services.streams import replay
from app.services.streams.base import StreamLog
from app.services.streams.events import ConversationChanged, UserEvents
from app.services.streams.replay import StoredRun
from app.services.turns import Asked, Turn

CLOSE_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was started now, or earlier with the same idempotency key."""

    run_id: UUID
    conversation_id: UUID
    message_id: UUID


class ChatService:
    """Owns the tasks of all runs of this process."""

    def __init__(
        self, tools: Tools, log: StreamLog, events: UserEvents, *, replica: str, max_message_chars: int
    ) -> None:
        self._tools, self._log, self._events = tools, log, events
        self._replica = replica
        self._max_message_chars = max_message_chars
        self._running: dict[UUID, RunTask] = {}
        self._starting: dict[UUID, asyncio.Event] = {}  # their rows may be committed, their tasks are not there yet
        self._closing = False

    async def recover(self) -> None:
        """Mark what an earlier process left unfinished. Call once, before the first start."""
        await recovery.recover(self._tools.db, self._log, self._replica)

    async def start(self, user_id: UUID, request: ChatRequest, *, key: str | None) -> Started:
        """Store the turn and start its run. All that can be refused is refused here."""
        if self._closing:
            raise ModelUnavailable("the service is restarting; try again in a few seconds", retry_after_s=5)
        source = self._tools.pool.get(request.model_source)
        self._check(request)
        context_tokens = await source.context_tokens(request.model)  # which may have to find out the default model
        asked = Asked(
            run_id=uuid4(),
            user_id=user_id,
            request=request,
            model_source=source.name,
            model=request.model or source.default_model,
            context_tokens=context_tokens,
            replica=self._replica,
            request_id=request_id.get(),
        )
        turn = await self._begin(asked, key)
        if isinstance(turn, Started):
            await self._begun(turn.run_id)
            return turn
        changed = ConversationChanged(turn.conversation_id, "asked")
        self._events.publish(asked.user_id, "conversation", changed, subject=str(changed.id))
        return Started(turn.run_id, turn.conversation_id, turn.message_id)

    async def _begin(self, asked: Asked, key: str | None) -> Turn | Started:
        """The rows are committed before the task looks at them."""
        begun = self._starting[asked.run_id] = asyncio.Event()
        try:
            turn = await self._tools.db.write(partial(_store, asked=asked, key=key))
            if isinstance(turn, Turn):
                self._run(asked, turn)
        finally:
            del self._starting[asked.run_id]
            begun.set()
        return turn

    def _run(self, asked: Asked, turn: Turn) -> None:
        run = self._running[turn.run_id] = RunTask(self._tools, self._log.open(str(turn.run_id)), asked, turn)
        run.task.add_done_callback(lambda _: self._running.pop(turn.run_id, None))
        if self._closing:
            run.cancel(FinishReason.INTERRUPTED)

    async def _begun(self, run_id: UUID) -> RunTask | None:
        """A run's task, if it is not over. Whoever saw the run's row may be here before its task is."""
        if (begun := self._starting.get(run_id)) is not None:
            await begun.wait()
        return self._running.get(run_id)

    async def follow(self, user_id: UUID, started: Started) -> AsyncIterator[bytes]:
        """All frames of a run that `start` gave. An earlier one, found by its key, may have left the log."""
        return self._log.tail(str(started.run_id), 0) or await self.resume(user_id, started.run_id, 0)

    async def resume(self, user_id: UUID, run_id: UUID, after: int) -> AsyncIterator[bytes]:
        """The frames of the user's run after number `after`, made again from the stored message if need be."""
        await self._begun(run_id)
        frames = self._log.tail(str(run_id), after)
        run, message = await self._tools.db.query(partial(_run_and_message, run_id=run_id, user_id=user_id))
        return frames or _once(replay.replay(_stored(run, message), after))

    async def answer(self, user_id: UUID, started: Started) -> Message:
        """Wait for a run's end and give its message. Raises the run's error, with the message's id in its details."""
        running = self._running.get(started.run_id)
        if running is not None:
            await running.ended.wait()
        run, message = await self._tools.db.query(partial(_run_and_message, run_id=started.run_id, user_id=user_id))
        error = None if run.error is None else _error(run.error)
        if running is not None and running.failure is not None:
            error = _error({"code": running.failure.code, "message": running.failure.message})
        if error is None:
            return message
        error.details = {"message_id": str(message.id), "conversation_id": str(message.conversation_id)}
        raise error

    async def stop(self, user_id: UUID, run_id: UUID) -> RunStatus:
        """Close the upstream and end the run as stopped. Gives the status that the run had until now."""
        run = await self._tools.db.query(partial(runs.get, run_id=run_id, user_id=user_id))
        running = await self._begun(run_id)
        if running is not None:
            running.cancel(FinishReason.STOPPED)
        return RunStatus(run.status)

    async def ledgers(self, user_id: UUID, message_id: UUID) -> Sequence[Ledger]:
        """What the model saw: one entry for each run that wrote the message."""
        return await self._tools.db.query(partial(runs.ledgers, message_id=message_id, user_id=user_id))

    async def rate(self, user_id: UUID, message_id: UUID, *, rating: int, comment: str | None) -> None:
        feedback: dict[str, object] = {"rating": rating, "comment": comment}
        await self._tools.db.write(
            partial(messages.set_feedback, message_id=message_id, user_id=user_id, feedback=feedback)
        )

    async def stop_conversation(self, user_id: UUID, conversation_id: UUID) -> None:
        """Stop every run of a conversation and wait until they are stored: before it is deleted."""
        await self._cancel(
            [
                r
                for r in self._running.values()
                if r.turn.conversation_id == conversation_id and r.turn.user_id == user_id
            ],
            FinishReason.STOPPED,
        )

    def interrupt(self) -> None:
        """The service is ending: start nothing more, end every run as interrupted, with what it has."""
        self._closing = True
        for run in self._running.values():
            run.cancel(FinishReason.INTERRUPTED)

    async def aclose(self) -> None:
        """Wait until every run is stored."""
        self._closing = True
        await self._cancel(list(self._running.values()), FinishReason.INTERRUPTED)

    async def _cancel(self, tasks: Sequence[RunTask], reason: FinishReason) -> None:
        for run in tasks:
            run.cancel(reason)
        if tasks:
            await asyncio.wait([run.task for run in tasks], timeout=CLOSE_TIMEOUT_S)

    def _check(self, request: ChatRequest) -> None:
        question = request.message or ""
        if len(question) > self._max_message_chars:
            raise TooLarge(
                f"the message has {len(question)} characters and {self._max_message_chars} are allowed; upload long "
                "text as a file instead",
                details={"max_message_chars": self._max_message_chars},
            )


def _store(session: Session, *, asked: Asked, key: str | None) -> Turn | Started:
    """A new turn, or what its idempotency key stands for."""
    earlier = None if key is None else _claim(session, asked, key)
    if earlier is not None:
        return earlier
    turn = turns.store(session, asked)
    check_fits(turn.parts(asked), context_tokens=asked.context_tokens, max_tokens=asked.request.max_tokens)
    return turn


def _run_and_message(session: Session, *, run_id: UUID, user_id: UUID) -> tuple[Run, Message]:
    run = runs.get(session, run_id, user_id)
    return run, messages.get(session, run.message_id, user_id)


def _claim(session: Session, asked: Asked, key: str) -> Started | None:
    """None when the key is new and now ours, else the run that it stands for. Raises ValidationFailed."""
    hashed = turns.body_hash(asked.request)
    taken = runs.claim_key(session, user_id=asked.user_id, key=key, body_hash=hashed, target_id=asked.run_id)
    if taken is None:
        return None
    if taken.body_hash != hashed:
        raise ValidationFailed(f"Idempotency-Key {key!r} was used with another body; use a new key for a new request")
    run = runs.get(session, taken.target_id, asked.user_id)
    return Started(run.id, run.conversation_id, run.message_id)


def _error(stored: Mapping[str, object]) -> AppError:
    wait = stored.get("retry_after_s")
    return by_code(str(stored["code"]))(
        str(stored["message"]), retry_after_s=wait if isinstance(wait, int | float) else None
    )


async def _once(frames: bytes) -> AsyncIterator[bytes]:
    yield frames


# A run that is not stored as finished belongs to a process that is gone.
_ENDED_AS = {
    RunStatus.RUNNING: FinishReason.INTERRUPTED,
    RunStatus.INTERRUPTED: FinishReason.INTERRUPTED,
    RunStatus.STOPPED: FinishReason.STOPPED,
}


def _stored(run: Run, message: Message) -> StoredRun:
    """A finished run as its rows have it, without what later runs added to the message."""
    trace = replay.unpack(run.trace) if run.trace else [0, 0]
    text_to = run.content_before + replay.written(trace)
    reasoning_to = run.reasoning_before + replay.thought(trace)
    error = None if run.error is None else _error(run.error)
    whole = FinishReason.LENGTH if message.finish_reason == FinishReason.LENGTH else FinishReason.STOP
    reason = _ENDED_AS.get(RunStatus(run.status), whole)
    citations = msgspec.convert(message.citations, list[CitationChecked])
    return StoredRun(
        trace=trace,
        started=RunStarted(
            run_id=run.id,
            conversation_id=run.conversation_id,
            user_message_id=run.user_message_id,
            message_id=run.message_id,
            model_source=run.model_source,
            model=run.model,
        ),
        sources=SourcesFound(msgspec.convert(message.sources, list[Source])) if message.sources else None,
        content=message.content[run.content_before : text_to],
        reasoning=(message.reasoning or "")[run.reasoning_before : reasoning_to],
        citations=[c for c in citations if run.content_before < c.mark.char_to <= text_to],
        usage=msgspec.convert(message.usage, UsageCounted) if message.usage and error is None else None,
        end=RunDone(finish_reason=reason, message_id=message.id)
        if error is None
        else RunFailed(code=error.code, message=error.message, retryable=error.retryable, request_id=run.request_id),
    )
