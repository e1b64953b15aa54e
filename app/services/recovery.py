"""After a restart: every answer that a killed process left unfinished keeps its text and is marked interrupted."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec
from loguru import logger

from app.core.enums import FinishReason, MessageStatus, RunStatus, Surface
from app.core.errors import NotFound
from app.crud import message_search, messages, runs, usage
from app.crud.messages import Outcome
from app.crud.usage import Usage
from app.db.models import Run
from app.db.session import Database, Session
from app.rag.citations import check
from app.schemas.chat import ReasoningDelta, Source, SourcesFound, TextDelta, UsageCounted
from app.services.llm.tokens import estimate_tokens
from app.services.outcome import with_counts
from app.services.streams import replay
from app.services.streams.base import LeftBehind, StoredFrame, StreamLog

TEXT: Final = TextDelta.kind
REASONING: Final = ReasoningDelta.kind


async def recover(db: Database, log: StreamLog, replica: str) -> int:
    """Store what the log still holds, then let the log forget it. Gives the number of answers interrupted."""
    unfinished = await db.query(partial(runs.unfinished, replica=replica))
    left_behind = log.left_behind([str(run.id) for run in unfinished])
    interrupted = await db.write(partial(_interrupt_all, replica=replica, left_behind=left_behind))
    log.forget_left_behind()
    if interrupted:
        logger.info("{} unfinished answers of an earlier process were marked interrupted", interrupted)
    return interrupted


def _interrupt_all(session: Session, *, replica: str, left_behind: Mapping[str, LeftBehind]) -> int:
    unfinished = runs.unfinished(session, replica)
    used = [_interrupt(session, run, left_behind.get(str(run.id)) or LeftBehind()) for run in unfinished]
    # in one order: on PostgreSQL two replicas that start at once must not wait for each other's rows
    for one in sorted(filter(None, used), key=lambda u: (str(u.user_id), u.model_source, u.model or "")):
        usage.add(session, one)
    return len(unfinished)


def _interrupt(session: Session, run: Run, left: LeftBehind) -> Usage | None:
    """What the run used. None: its message was deleted meanwhile, and the run goes with it."""
    frames = left.frames()
    text, reasoning = _joined(frames, TEXT), _joined(frames, REASONING)
    try:
        message = messages.get(session, run.message_id, run.user_id)
    except NotFound:
        return None
    before = message.content[: run.content_before]
    content = before + text
    sources, counted = message.sources or _sources(frames), _usage(frames)
    searched = sources or any(frame.kind == SourcesFound.kind for frame in frames)
    cited = check(text, msgspec.convert(sources, list[Source]), before=before) if searched else []
    messages.finish(
        session,
        message.id,
        Outcome(
            content=content,
            reasoning=((message.reasoning or "")[: run.reasoning_before] + reasoning) or None,
            status=MessageStatus.INTERRUPTED,
            finish_reason=FinishReason.INTERRUPTED,
            sources=sources,
            citations=[*message.citations, *map(msgspec.to_builtins, cited)],
            usage=counted,
            error=None,
            model_source=message.model_source,
            model=message.model,
        ),
    )
    message_search.index(session, message.id, run.conversation_id, run.user_id, content)
    if left.note is not None:
        entry = msgspec.json.decode(left.note, type=dict)
        runs.add_ledger(session, run_id=run.id, message_id=message.id, user_id=run.user_id, entry=entry)
    trace = replay.pack([*map(_size, frames), 0])
    runs.finish(session, run.id, status=RunStatus.INTERRUPTED, error=None, trace=trace)
    return _used(run, left.note, counted, text + reasoning)


class _Asked(msgspec.Struct):
    """What the note of a run says of its prompt."""

    prompt_tokens: int


def _used(run: Run, note: bytes | None, counted: dict[str, object] | None, written: str) -> Usage:
    """By the counts that were shown, else by estimate. Nothing, when the model had not been asked."""
    used = Usage(run.user_id, run.model_source, run.model, Surface.CHAT)
    if counted is not None:
        return with_counts(used, msgspec.convert(counted, UsageCounted))
    if note is None:
        return used
    prompt_tokens = msgspec.json.decode(note, type=_Asked).prompt_tokens
    completion_tokens = estimate_tokens(written) if written else 0
    return replace(used, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, is_estimated=True)


def _size(frame: StoredFrame) -> int:
    if frame.kind not in {TEXT, REASONING}:
        return replay.mark(frame.kind)
    size = len(msgspec.json.decode(frame.data, type=TextDelta).text)
    return size if frame.kind == TEXT else -size


def _joined(frames: list[StoredFrame], kind: str) -> str:
    return "".join(msgspec.json.decode(f.data, type=TextDelta).text for f in frames if f.kind == kind)


def _sources(frames: list[StoredFrame]) -> list[object]:
    return [source for f in frames if f.kind == SourcesFound.kind for source in msgspec.json.decode(f.data, type=list)]


def _usage(frames: list[StoredFrame]) -> dict[str, object] | None:
    found = [msgspec.json.decode(f.data, type=dict) for f in frames if f.kind == UsageCounted.kind]
    return found[-1] if found else None
