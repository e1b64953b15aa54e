"""Closed sets of words that rows, events and the API share."""

from enum import StrEnum


class Role(StrEnum):
    USER = "user"
    ADMIN = "admin"


class Scope(StrEnum):
    """What an API key may reach; the routes of each are in `app/api/scopes.py`."""

    OPENAI = "openai"
    CHAT = "chat"
    FILES = "files"
    MODELS = "models"
    STATS = "stats"


class Access(StrEnum):
    """What somebody may do with a collection."""

    READ = "read"
    WRITE = "write"
    OWNER = "owner"


class Surface(StrEnum):
    """By which door an answer was asked for."""

    CHAT = "chat"
    OPENAI = "openai"


class Author(StrEnum):
    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class MessageStatus(StrEnum):
    COMPLETE = "complete"
    STREAMING = "streaming"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class RunStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"


class FileStatus(StrEnum):
    STORED = "stored"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    INDEXING = "indexing"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {FileStatus.READY, FileStatus.FAILED, FileStatus.CANCELLED}


class PageState(StrEnum):
    """What became of one page of a file."""

    READ = "read"
    OCR = "ocr"  # its text was recognised on a picture
    EMPTY = "empty"
    NEEDS_OCR = "needs_ocr"  # a picture of text, which nobody has read
    FAILED = "failed"


class IndexState(StrEnum):
    """`current` is searched. `retired` was, and `failed` and `cancelled` never were; they are removed some time."""

    CURRENT = "current"
    BUILDING = "building"
    RETIRED = "retired"
    FAILED = "failed"
    CANCELLED = "cancelled"


class SearchMode(StrEnum):
    HYBRID = "hybrid"
    DENSE = "dense"
    TEXT = "text"


class Match(StrEnum):
    """How a passage has what a sentence says of it, best first."""

    EXACT = "exact"
    NORMALISED = "normalised"
    OVERLAP = "overlap"


class CountedBy(StrEnum):
    """Where a token count comes from."""

    PROVIDER = "provider"
    TOKENIZER = "tokenizer"
    ESTIMATE = "estimate"


class Stage(StrEnum):
    """What a run is doing, as told in `status` events."""

    QUEUED = "queued"
    RETRIEVING = "retrieving"
    PROMPT = "prompt"
    GENERATING = "generating"
    RETRYING = "retrying"
    FALLING_BACK = "falling_back"


class PullState(StrEnum):
    """How far the fetching of a model is."""

    QUEUED = "queued"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in {PullState.READY, PullState.FAILED, PullState.CANCELLED}
