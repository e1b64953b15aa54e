"""What a model provider is, and the values that pass between it and a run."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from app.core.enums import Author


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a prompt."""

    role: Author
    content: str


@dataclass(frozen=True, slots=True)
class PassageText:
    """A numbered passage, for providers that answer from passages alone."""

    n: int
    file_name: str
    page_from: int
    page_to: int
    text: str


@dataclass(frozen=True, slots=True)
class Generation:
    """All that a provider needs for one answer. `searched` False: no files were looked at."""

    turns: Sequence[Turn]
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    passages: Sequence[PassageText] = ()
    searched: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do, as data: nobody compares its name."""

    context_tokens: int
    generates: bool = True  # False: answers are made of passages, so the prompt's turns are not read


class TokenUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    completion_tokens: int


class Delta(msgspec.Struct, frozen=True):
    """What arrived in one read: text of the answer, text of the reasoning, or the end. `chunks` counts messages."""

    text: str = ""
    reasoning: str = ""
    finish_reason: Literal["stop", "length"] | None = None
    usage: TokenUsage | None = None


class Provider(Protocol):
    """One source of models. Maps every fault to UpstreamRefused, UpstreamUnavailable or UpstreamTimeout."""

    name: str
    default_model: str | None
    capabilities: Capabilities

    async def models(self) -> list[str]:
        """Names of the models that the source offers now."""

    def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        """Ends after a delta with `finish_reason`. Closing the iterator closes the connection at once."""

    async def aclose(self) -> None: ...
