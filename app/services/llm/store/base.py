"""What a model file is, where it comes from, and what its fetching needs and tells."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.core.enums import PullState
from app.core.model_settings import ModelFileSettings
from app.core.registry import Registry

MAGIC: Final = b"GGUF"
PIECE_BYTES: Final = 1 << 20  # what is written at once
Told = Callable[[str], Awaitable[None]]  # called with a model's name


class FetchedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file of a model as it was fetched. `path` is its name at the source."""

    path: str
    size_bytes: int
    sha256: str
    etag: str | None = None


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a pulled model is from, kept as JSON beside it. `address` can be pulled again."""

    address: str
    pulled_at: datetime
    files: tuple[FetchedFile, ...]
    repo: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model on disk. `path` is what is loaded: the first of `parts`. `origin` None: it was not pulled."""

    name: str
    path: Path
    parts: tuple[Path, ...]
    size_bytes: int
    modified: datetime
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at its source. `name` is what it is called here; `local` is where it lies on this machine, if it does."""

    name: str
    path: str
    url: str
    size_bytes: int
    sha256: str | None = None
    etag: str | None = None
    local: Path | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A model at its source: one file, or the parts of one. `chosen`: of several, by the order of the quantizations."""

    name: str
    address: str
    files: tuple[RemoteFile, ...]
    repo: str | None = None
    revision: str | None = None
    license: str | None = None
    chosen: bool = False

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes of a file from `start` on, in pieces. `etag` is what a later request may resume by."""

    start: int
    size_bytes: int | None
    etag: str | None
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pull is; the bytes are those of its state. `note` is a sentence for people."""

    state: PullState
    bytes_done: int = 0
    bytes_total: int | None = None
    note: str | None = None

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.bytes_done / self.bytes_total) if self.bytes_total else None


class Changed(Exception):
    """The file at the source is another one than when it was looked at."""


class Fetcher(Protocol):
    """One kind of source. Maps every fault to an UpstreamError, NotFound, ValidationFailed or Changed."""

    async def find(self, address: str) -> Found:
        """Which files a pull of the address would fetch."""

    def open(self, file: RemoteFile, *, start: int, etag: str | None) -> AbstractAsyncContextManager[Body]:
        """The file's bytes from `start`, or from 0 when it cannot be resumed or is not the one with `etag` any more."""

    async def aclose(self) -> None: ...


class Puller(Protocol):
    """Something else that fetches models, such as a model server that keeps its own."""

    def pull(self, name: str) -> AsyncIterator[Progress]:
        """Ends when the model is there. Raises an AppError when it cannot be fetched."""


FETCHERS: Registry[Callable[[ModelFileSettings], Fetcher]] = Registry(
    "kind of model address",
    {
        "hub": "app.services.llm.store.hub:Hub",
        "http": "app.services.llm.store.hub:Hub",
        "https": "app.services.llm.store.hub:Hub",
        "s3": "app.services.llm.store.objects:Objects",
        "gs": "app.services.llm.store.objects:Objects",
        "az": "app.services.llm.store.objects:Objects",
        "file": "app.services.llm.store.paths:Paths",
    },
)


def kind_of(address: str) -> str:
    """The name in FETCHERS: the scheme of a URL, `file` for a path, else `hub`."""
    scheme, mark, _ = address.partition("://")
    if mark:
        return scheme.lower()
    return "file" if address.startswith("/") else "hub"
