"""What a model provider is, and the values that pass between it and a run."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from app.core.enums import CountedBy
from app.core.passages import place

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a prompt, in OpenAI's shape: `content` is text, or JSON parts such as images."""

    role: str
    content: str | list[msgspec.Raw] | None
    name: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The content's text alone."""
        if self.content is None or isinstance(self.content, str):
            return self.content or ""
        return "\n".join(part.text for part in map(_part, self.content) if part.text)


class _Part(msgspec.Struct):
    text: str = ""


def _part(raw: msgspec.Raw) -> _Part:
    try:
        return msgspec.json.decode(raw, type=_Part)
    except msgspec.DecodeError:
        return _Part()


class Options(msgspec.Struct, frozen=True, omit_defaults=True):
    """How to generate, by OpenAI's names; None leaves it to the model. `others` are passed on as they came."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: msgspec.Raw | None = None
    tools: msgspec.Raw | None = None
    tool_choice: msgspec.Raw | None = None
    others: dict[str, msgspec.Raw] = {}

    @property
    def limit(self) -> int | None:
        """How many tokens may be written."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True)
class PassageText:
    """A numbered passage, for providers that answer from passages alone."""

    n: int
    file_name: str
    page_from: int
    page_to: int
    text: str
    page_label: str | None = None

    @property
    def place(self) -> str:
        return place(self.page_from, self.page_to, self.page_label)


@dataclass(frozen=True, slots=True)
class Generation:
    """All that a provider needs for one answer. `searched` False: no files were looked at.

    `written` are the turns as a client wrote them in OpenAI's shape, with fields that Turn does not know.
    """

    turns: Sequence[Turn]
    model: str | None = None
    options: Options = NO_OPTIONS
    passages: Sequence[PassageText] = ()
    searched: bool = False
    written: Sequence[msgspec.Raw] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, as data: nobody compares its name."""

    generates: bool = True  # False: answers are made of passages, so the prompt's turns are not read
    embeds: bool = False
    embeds_unnamed: bool = True  # it has a model for that when a request names none
    counts_tokens: bool = False  # it is a CountsTokens
    reranks: bool = False  # it is a Reranks


class ModelKind(StrEnum):
    CHAT = "chat"
    EMBEDDING = "embedding"
    RERANK = "rerank"


class ModelInfo(msgspec.Struct, frozen=True):
    """A model that a source offers; None where the source does not say."""

    name: str
    kind: ModelKind | None = None
    context_tokens: int | None = None
    size_bytes: int | None = None
    loaded: bool | None = None
    memory_bytes: int | None = None  # that it needs when it is loaded on this machine


class TokenUsage(msgspec.Struct, frozen=True):
    """Tokens of one answer, and how long the model itself says that it read and wrote."""

    prompt_tokens: int
    completion_tokens: int
    counted_by: CountedBy = CountedBy.PROVIDER
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    prompt_ms: float | None = None
    decode_ms: float | None = None


class Delta(msgspec.Struct, frozen=True):
    """What arrived in one read: text of the answer, text of the reasoning, or the end.

    `tool_calls` are entries of OpenAI's streamed `delta.tool_calls`, `logprobs` of `logprobs.content`, as JSON.
    `progress` is how much of the prompt was read, from 0 to 1.
    """

    text: str = ""
    reasoning: str = ""
    finish_reason: FinishReason | None = None
    usage: TokenUsage | None = None
    tool_calls: tuple[msgspec.Raw, ...] = ()
    logprobs: tuple[msgspec.Raw, ...] = ()
    progress: float | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """float32 [texts, dimensions]. `prompt_tokens` None: the source does not say."""

    vectors: npt.NDArray[np.float32]
    model: str
    prompt_tokens: int | None = None


class Provider(Protocol):
    """One source of models at one address. Maps every fault to an UpstreamError or ModelUnavailable."""

    name: str
    default_model: str | None
    capabilities: Capabilities

    async def models(self) -> list[ModelInfo]:
        """The models that the source offers now."""

    async def context_tokens(self, model: str | None) -> int:
        """How many tokens of prompt and answer together the model takes here."""

    def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        """Ends after a delta with `finish_reason`. Closing the iterator closes the connection at once."""

    async def embed(self, texts: Sequence[str], *, model: str | None, dimensions: int | None) -> Embeddings:
        """One vector per text, in their order. Raises ModelUnavailable when the source cannot embed."""

    async def aclose(self) -> None: ...


class CountsTokens(Protocol):
    """A provider that has the model's own tokenizer at hand."""

    async def count_tokens(self, request: Generation) -> int:
        """The exact length of the prompt, with the model's chat template."""

    async def count_text(self, text: str, *, model: str | None) -> int:
        """The exact length of a text."""


class LoadsModels(Protocol):
    """A provider whose models take this machine's memory."""

    async def load(self, model: str | None) -> ModelInfo:
        """Raises ModelUnavailable, with both figures when the memory does not suffice."""

    async def unload(self, model: str | None) -> None:
        """Ends its answers too."""


class Reranks(Protocol):
    """A provider that can order texts by how well they answer a query."""

    async def rerank(self, query: str, texts: Sequence[str], *, model: str | None) -> list[float]:
        """One score per text, in their order; higher is better."""
