"""What a run leaves when it has ended: its message, its own row, and the record of what the model saw."""

from dataclasses import dataclass, replace
from typing import Final

import msgspec

from app.core.enums import CountedBy, FinishReason, MessageStatus, RunStatus, Surface
from app.core.errors import AppError
from app.crud import message_search, messages, runs, usage
from app.crud.messages import Outcome
from app.crud.usage import Usage
from app.db.session import Session
from app.schemas.chat import RunDone, RunFailed, UsageCounted
from app.services.ledger import Prompt
from app.services.llm.base import TokenUsage
from app.services.turns import Asked, Turn

_RUN_STATUS: Final = {
    MessageStatus.STOPPED: RunStatus.STOPPED,
    MessageStatus.INTERRUPTED: RunStatus.INTERRUPTED,
    MessageStatus.FAILED: RunStatus.FAILED,
}
_MESSAGE_STATUS: Final = {
    FinishReason.STOPPED: MessageStatus.STOPPED,
    FinishReason.INTERRUPTED: MessageStatus.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Written:
    """What one run wrote, by which model. `entry` is for the ledger, `trace` for a resume from the rows."""

    text: str
    reasoning: str
    trace: bytes
    sources: list[object]
    citations: list[object]
    usage: UsageCounted | None
    entry: dict[str, object]
    model_source: str
    model: str | None


def store(session: Session, turn: Turn, written: Written, *, error: AppError | None, reason: FinishReason) -> None:
    """As one unit of work. Nothing, when the message was deleted meanwhile."""
    status = MessageStatus.FAILED if error else _MESSAGE_STATUS.get(reason, MessageStatus.COMPLETE)
    said: dict[str, object] | None = None
    if error is not None:
        said = {"code": error.code, "message": error.message, "details": error.details}
        if error.retry_after_s is not None:
            said["retry_after_s"] = error.retry_after_s
    outcome = Outcome(
        content=turn.content_before + written.text,
        reasoning=(turn.reasoning_before + written.reasoning) or None,
        status=status,
        finish_reason=None if error else reason,
        sources=list(turn.sources_before) if turn.content_before else written.sources,
        citations=[*turn.citations_before, *written.citations],
        usage=None if written.usage is None else msgspec.to_builtins(written.usage),
        error=said,
        model_source=written.model_source,
        model=written.model,
    )
    if not messages.finish(session, turn.message_id, outcome):
        return
    message_search.index(session, turn.message_id, turn.conversation_id, turn.user_id, outcome.content)
    run_status = _RUN_STATUS.get(status, RunStatus.DONE)
    runs.finish(session, turn.run_id, status=run_status, error=said, trace=written.trace)
    runs.add_ledger(session, run_id=turn.run_id, message_id=turn.message_id, user_id=turn.user_id, entry=written.entry)
    used = Usage(turn.user_id, written.model_source, written.model, Surface.CHAT, is_failed=error is not None)
    usage.add(session, with_counts(used, written.usage))


def last_event(asked: Asked, turn: Turn, *, error: AppError | None, reason: FinishReason) -> RunDone | RunFailed:
    """The one terminal event."""
    if error is None:
        return RunDone(finish_reason=reason, message_id=turn.message_id)
    return RunFailed(code=error.code, message=error.message, retryable=error.retryable, request_id=asked.request_id)


def with_counts(used: Usage, counted: UsageCounted | None) -> Usage:
    """None: the model was not asked."""
    if counted is None:
        return used
    return replace(
        used,
        prompt_tokens=counted.prompt_tokens,
        completion_tokens=counted.completion_tokens,
        is_estimated=counted.counted_by is CountedBy.ESTIMATE,
        cost=counted.cost,
    )


def ledger_entry(asked: Asked, turn: Turn, prompt: Prompt | None, usage: TokenUsage | None) -> dict[str, object]:
    """What the model saw. `prompt` None: it was never asked."""
    request = asked.request
    return {
        "model_source": asked.model_source,
        "model": asked.model,
        "query": turn.question if turn.searched else None,
        "files_searched": [str(i) for i in turn.file_ids],
        "tags": turn.scope.tags,
        "passages": [msgspec.to_builtins(s) for s in prompt.sources] if prompt else [],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        **(prompt.entry() if prompt else {}),
        **({"prompt_tokens": usage.prompt_tokens, "counted_by": usage.counted_by} if usage else {}),
    }
