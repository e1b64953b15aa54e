"""A chat turn: its request, its answer, and StreamEvent, the one union of everything a run may say."""

from typing import ClassVar
from uuid import UUID

import msgspec
from pydantic import Field, model_validator

from app.core.enums import CountedBy, FinishReason, Match, PassageMode, Stage
from app.schemas.base import Answer, Body, Text
from app.schemas.messages import MessageOut
from app.schemas.tags import TagFilter


class ChatRequest(Body):
    """A turn. `regenerate` and `continue` name an assistant message and stand without `message`."""

    message: Text | None = Field(
        None, description="what the user asks", examples=["What does the report say on page 3?"]
    )
    conversation_id: UUID | None = Field(None, description="absent: a new conversation")
    parent_id: UUID | None = Field(
        None, description="the message this one answers; null starts a new root, absent means the active leaf"
    )
    regenerate: UUID | None = Field(None, description="an assistant message to answer again, beside the old answer")
    continue_: UUID | None = Field(None, alias="continue", description="an assistant message to go on with")
    model_source: Text | None = Field(None, max_length=64, description="openai, passages or a configured row's name")
    model: Text | None = Field(None, max_length=200, description="a model's name at that source")
    file_ids: list[UUID] | None = Field(None, max_length=1000, description="search these files alone")
    collection_ids: list[UUID] | None = Field(None, max_length=100, description="search the files of these too")
    tags: TagFilter | None = None
    use_rag: bool = Field(True, description="false: no passages")
    strict: bool = Field(False, description="answer from passages, or say that the documents do not have it")
    mode: PassageMode = Field(
        PassageMode.AUTO,
        description="auto: chosen files that fit in a third of the model's context go in whole; passages: never",
    )
    system_prompt: Text | None = Field(None, max_length=20_000)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _one_purpose(self) -> "ChatRequest":
        named = [
            n
            for n, v in (("message", self.message), ("regenerate", self.regenerate), ("continue", self.continue_))
            if v
        ]
        if self.message is not None and not self.message.strip():
            raise ValueError("message is empty; write a question")
        if len(named) != 1:
            raise ValueError("give exactly one of message, regenerate and continue")
        return self


class ChatAnswer(Answer):
    conversation_id: UUID
    run_id: UUID
    message: MessageOut


class StopAnswer(Answer):
    run_id: UUID
    status: str


class LedgerOut(Answer):
    """What the model saw, one entry for each run that wrote the message, oldest first."""

    message_id: UUID
    entries: list[dict[str, object]]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing a run says. `kind` is the SSE event's name; the struct's fields are its data."""

    kind: ClassVar[str]


class RunStarted(Event, frozen=True, omit_defaults=False):
    kind = "run"
    run_id: UUID
    conversation_id: UUID
    user_message_id: UUID | None
    message_id: UUID
    model_source: str
    model: str | None


class StatusChanged(Event, frozen=True):
    kind = "status"
    stage: Stage
    position: int | None = None
    progress: float | None = None
    attempt: int | None = None
    model_source: str | None = None
    model: str | None = None
    reason: str | None = None


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """A passage that was sent to the model, numbered as in the prompt. `context` belongs before its text."""

    n: int
    file_id: UUID
    file_name: str
    page_from: int
    page_to: int
    char_from: int
    char_to: int
    text: str
    score: float
    context: str = ""
    page_label: str | None = None


class SourcesFound(Event, frozen=True):
    """Its data is the list itself."""

    kind = "sources"
    sources: list[Source]


class ReasoningDelta(Event, frozen=True):
    kind = "reasoning"
    text: str


class TextDelta(Event, frozen=True):
    kind = "delta"
    text: str


class Stretch(msgspec.Struct, frozen=True):
    """From one code point up to another."""

    char_from: int
    char_to: int


class CitationChecked(Event, frozen=True, omit_defaults=False):
    """One number of one mark. `char_from` and `char_to` are the sentence in the answer, `mark` is the mark itself.

    `quote` is where the words stand in the file's text, or most of them. `match` None and `supported`: nothing could be
    compared.
    """

    kind = "citation"
    n: int
    supported: bool
    char_from: int
    char_to: int
    match: Match | None
    score: float
    reason: str | None
    quote: Stretch | None
    mark: Stretch


class UsageCounted(Event, frozen=True, omit_defaults=False):
    kind = "usage"
    prompt_tokens: int
    completion_tokens: int
    counted_by: CountedBy
    ttft_ms: float | None
    tokens_per_s: float | None
    queue_ms: float | None = None
    prompt_ms: float | None = None
    cost: float | None = None
    attempts: int = 1
    fell_back_from: str | None = None


class RunDone(Event, frozen=True, omit_defaults=False):
    kind = "done"
    finish_reason: FinishReason
    message_id: UUID


class RunFailed(Event, frozen=True, omit_defaults=False):
    kind = "error"
    code: str
    message: str
    retryable: bool
    request_id: str


StreamEvent = (
    RunStarted
    | StatusChanged
    | SourcesFound
    | ReasoningDelta
    | TextDelta
    | CitationChecked
    | UsageCounted
    | RunDone
    | RunFailed
)
TERMINAL = frozenset({RunDone.kind, RunFailed.kind})
