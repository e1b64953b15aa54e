"""GGUF files that already lie on this machine: an absolute path or a `file://` URL."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.core.errors import NotFound, ValidationFailed
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import PIECE_BYTES, Body, Found, RemoteFile
from app.services.llm.store.names import is_gguf, local_name, model_name, siblings


class Paths:
    """Implements Fetcher. On one file system nothing is copied: the model becomes a second name of the file."""

    def __init__(self, settings: ModelFileSettings) -> None:
        self._settings = settings

    async def find(self, address: str) -> Found:
        path = _path(address)
        files = await asyncio.to_thread(lambda: tuple(_file(path.with_name(name)) for name in siblings(path.name)))
        return Found(name=model_name(files[0].name), address=str(files[0].local), files=files)

    @asynccontextmanager
    async def open(self, file: RemoteFile, *, start: int, etag: str | None) -> AsyncIterator[Body]:
        async with aclosing(_pieces(Path(file.url), start)) as pieces:
            yield Body(start, file.size_bytes, file.etag, pieces)

    async def aclose(self) -> None:
        """Nothing is held."""


async def _pieces(path: Path, start: int) -> AsyncGenerator[bytes, None]:
    with path.open("rb", buffering=0) as file:
        await asyncio.to_thread(file.seek, start)
        while data := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield data


def _path(address: str) -> Path:
    parts = urlsplit(address)
    path = Path(unquote(parts.path) if parts.scheme.lower() == "file" else address)
    if parts.netloc not in {"", "localhost"} or not path.is_absolute() or "\0" in str(path) or not is_gguf(path.name):
        raise ValidationFailed(f"{address!r} is not the absolute path of a .gguf file on this machine")
    return path


def _file(path: Path) -> RemoteFile:
    try:
        stat = path.stat()
        is_file = path.is_file()
    except OSError:
        is_file = False
    if not is_file:
        raise NotFound(f"there is no file {str(path)!r} that this process may read")
    if not stat.st_size:
        raise ValidationFailed(f"{str(path)!r} is empty")
    etag = f"{stat.st_mtime_ns}-{stat.st_size}"
    return RemoteFile(local_name(path.name), path.name, str(path), stat.st_size, etag=etag, local=path)
