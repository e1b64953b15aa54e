"""What a run leaves when it has ended: its message, its own row, and the record of what the model saw."""

from dataclasses import dataclass
from typing import Final

import msgspec

from app.core.enums import CountedBy, FinishReason, MessageStatus, RunStatus
from app.core.errors import AppError
from app.crud import message_search, messages, runs
from app.crud.messages import Outcome
from app.db.session import Session
from app.schemas.chat import UsageCounted
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
    """What one run wrote. `entry` is for the ledger, `trace` for a resume from the rows."""

    text: str
    reasoning: str
    trace: bytes
    sources: list[object]
    usage: UsageCounted | None
    entry: dict[str, object]


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
        usage=None if written.usage is None else msgspec.to_builtins(written.usage),
        error=said,
    )
    if not messages.finish(session, turn.message_id, outcome):
        return
    message_search.index(session, turn.message_id, turn.conversation_id, turn.user_id, outcome.content)
    run_status = _RUN_STATUS.get(status, RunStatus.DONE)
    runs.finish(session, turn.run_id, status=run_status, error=said, trace=written.trace)
    runs.add_ledger(session, run_id=turn.run_id, message_id=turn.message_id, user_id=turn.user_id, entry=written.entry)


def ledger_entry(asked: Asked, turn: Turn, prompt: Prompt | None, usage: TokenUsage | None) -> dict[str, object]:
    """What the model saw. `prompt` None: it was never asked."""
    request = asked.request
    return {
        "model_source": asked.model_source,
        "model": asked.model,
        "query": turn.question if turn.file_ids else None,
        "files_searched": [str(i) for i in turn.file_ids],
        "passages": [msgspec.to_builtins(s) for s in prompt.sources] if prompt else [],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        **(prompt.entry() if prompt else {}),
        **({"prompt_tokens": usage.prompt_tokens, "counted_by": CountedBy.PROVIDER} if usage else {}),
    }
