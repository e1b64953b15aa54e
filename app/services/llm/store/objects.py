"""GGUF files of an object storage, by address."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from obstore import get_async, head_async
from obstore.exceptions import PreconditionError
from obstore.store import ObjectStore

from app.core.errors import ValidationFailed
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import PIECE_BYTES, Body, Changed, Found, RemoteFile
from app.services.llm.store.names import is_gguf, local_name, model_name, siblings
from app.services.object_urls import faults, open_store

RANGE_BYTES: Final = 32 << 20  # of one request: obstore gives each 30 s, unless the environment says otherwise
MAX_PARTS: Final = 1000


class Objects:
    """Implements Fetcher."""

    def __init__(self, settings: ModelFileSettings) -> None:
        self._stall_timeout_s = settings.pull_stall_timeout_s

    async def find(self, address: str) -> Found:
        root, key = _split(address)
        folder, _, name = key.rpartition("/")
        names = siblings(name)[:MAX_PARTS]
        files = [await self._head(root, f"{folder}/{part}" if folder else part) for part in names]
        first = files[0]
        return Found(name=model_name(first.name), address=f"{root}/{first.path}", files=tuple(files))

    @asynccontextmanager
    async def open(self, file: RemoteFile, *, start: int, etag: str | None) -> AsyncIterator[Body]:
        async with aclosing(self._pieces(file, start)) as pieces:
            yield Body(start, file.size_bytes, file.etag, pieces)

    async def aclose(self) -> None:
        """The stores of obstore need no closing."""

    async def _head(self, root: str, key: str) -> RemoteFile:
        url = f"{root}/{key}"
        name = local_name(key)
        with faults(url):
            meta = await head_async(self._store(root), key)
        if not meta["size"]:
            raise ValidationFailed(f"{url!r} is empty")
        return RemoteFile(name=name, path=key, url=url, size_bytes=meta["size"], etag=meta["e_tag"])

    async def _pieces(self, file: RemoteFile, start: int) -> AsyncGenerator[bytes, None]:
        """Range by range, each of the object that was found. A store without ETags cannot say that it has changed."""
        root, key = _split(file.url)
        store = self._store(root)
        for begin in range(start, file.size_bytes, RANGE_BYTES):
            end = min(begin + RANGE_BYTES, file.size_bytes)
            try:
                with faults(file.url):
                    async with asyncio.timeout(self._stall_timeout_s):
                        found = await get_async(store, key, options={"range": (begin, end), "if_match": file.etag})
            except PreconditionError:
                raise Changed from None
            if found.meta["size"] != file.size_bytes:
                raise Changed
            stream = aiter(found.stream(PIECE_BYTES))
            while data := await self._next(file.url, stream):
                yield data

    async def _next(self, url: str, stream: AsyncIterator[bytes]) -> bytes:
        with faults(url):
            async with asyncio.timeout(self._stall_timeout_s):
                return bytes(await anext(stream, b""))

    def _store(self, root: str) -> ObjectStore:
        return open_store(root, patience_s=self._stall_timeout_s)


def _split(address: str) -> tuple[str, str]:
    """`s3://bucket/a/b.gguf` is `s3://bucket` and `a/b.gguf`."""
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if not bucket or not is_gguf(key) or not address.isprintable() or ".." in key.split("/"):
        raise ValidationFailed(f"{address!r} names no model: write {scheme}://BUCKET/KEY.gguf")
    return f"{scheme.lower()}://{bucket}", key
