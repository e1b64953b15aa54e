"""Models as clients see them: lists, the state of their sources, their pulls, and the one that is offered."""

from pydantic import Field

from app.core.enums import PullState
from app.schemas.base import Answer, Body, Text


class PullRequest(Body):
    name: Text = Field(
        min_length=1,
        max_length=1000,
        description="local: OWNER/REPO[@REVISION][:FILE] of the hub, its page, s3://, gs://, az:// or an absolute path "
        "on the server; another source: a model's name there",
        examples=["Qwen/Qwen2.5-1.5B-Instruct-GGUF:qwen2.5-1.5b-instruct-q4_k_m.gguf"],
    )
    model_source: Text = Field("local", max_length=64, description="where the model will be served")


class PullError(Answer):
    code: str
    message: str


class PullOut(Answer):
    """`progress` is from 0 to 1 and, like the bytes, of this state; null when the whole is not known."""

    name: str
    model_source: str
    file: str | None = Field(description="what is fetched, when the request left the choice of a file open")
    state: PullState
    progress: float | None
    bytes_done: int
    bytes_total: int | None
    error: PullError | None


class OfferOut(Answer):
    """A small model to begin with. `command` fetches it, and so does a pull of `repo:file`."""

    name: str
    repo: str
    file: str
    size_bytes: int
    license: str | None
    command: str


class OfferAnswer(Answer):
    offer: OfferOut | None


class ModelOut(Answer):
    """null: the source does not say."""

    name: str
    model_source: str
    kind: str | None = Field(description="chat, embedding or rerank")
    context_tokens: int | None
    size_bytes: int | None
    loaded: bool | None
    memory_bytes: int | None = Field(description="what it takes when it is loaded on this machine, by estimate")
    is_default: bool = Field(description="asked for when a request names the source alone")


class SourceReason(Answer):
    model_source: str
    is_default: bool = Field(description="asked when a request names no source")
    default_model: str | None
    reason: str | None = Field(description="why there are no models; null when the source has answered")


class ModelList(Answer):
    """`reason` is that of the one source that was asked for."""

    items: list[ModelOut]
    sources: list[SourceReason]
    reason: str | None
    next_cursor: str | None = None


class AddressOut(Answer):
    address: str
    reachable: bool
    latency_ms: float | None
    busy: int = Field(description="answers that are being written")
    breaker: str = Field(description="closed: asked freely; open: not asked for a while; half_open: one request tries")
    cooling_s: float = Field(description="seconds until it is asked again")
    last_error: str | None


class SourceOut(Answer):
    configured: bool
    is_default: bool
    reachable: bool
    latency_ms: float | None = Field(description="what listing the models took")
    default_model: str | None
    models: int
    loaded: list[str]
    running: int = Field(description="answers that are being written")
    waiting: int = Field(description="requests in the queue")
    max_concurrent: int | None
    breaker: str | None = Field(description="that of the address that does worst")
    last_error: str | None
    addresses: list[AddressOut]
