"""Pulls models into the folder: finds them, makes room, fetches, checks and names them."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from app.core.enums import PullState
from app.core.errors import AppError, Conflict, UpstreamTimeout, UpstreamUnavailable
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import (
    FETCHERS,
    Changed,
    FetchedFile,
    Fetcher,
    Found,
    ModelFile,
    Origin,
    Progress,
    RemoteFile,
    kind_of,
)
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.part import Part, write_json
from app.services.llm.store.room import make_room

MAX_FAULTS: Final = 8  # in a row: a minute in all
BACKOFF_S: Final = 0.5
MAX_BACKOFF_S: Final = 30.0
STEP_BYTES: Final = 16 << 20  # so many new bytes, and the count of faults begins again
MAX_CHANGES: Final = 3


class Store:
    """What pulls need: the folder, and a fetcher for each kind of address, made on first use."""

    def __init__(self, folder: ModelFolder, settings: ModelFileSettings, *, backoff_s: float = BACKOFF_S) -> None:
        self.folder = folder
        self._backoff_s = backoff_s
        self._settings = settings
        self._fetchers: dict[object, Fetcher] = {}
        self._coming: dict[str, int] = {}  # bytes of the models that are being pulled

    @classmethod
    def within(cls, data_dir: Path, settings: ModelFileSettings) -> "Store":
        """The one of a data folder."""
        return cls(ModelFolder(settings, data_dir), settings)

    async def find(self, address: str) -> Found:
        """What a pull of the address would fetch.

        Raises UnknownName for a kind of address that is not known, and what its fetcher does.
        """
        return await self._fetcher(address).find(address)

    async def pull(self, found: Found) -> AsyncGenerator[Progress, None]:
        """Fetch a model; the last progress is `ready`. Closing the iterator keeps what was fetched, for the next pull.

        Raises an UpstreamError when the source fails for good, StorageFull, UnsupportedType when it is no GGUF, or
        Conflict when the name is taken or another process pulls it.
        """
        await asyncio.to_thread(self.folder.make)
        for _ in range(MAX_CHANGES):
            try:
                async with aclosing(self._pull(found)) as steps:
                    async for step in steps:
                        yield step
                return
            except Changed:
                found = await self.find(found.address)
        raise UpstreamUnavailable(f"{found.address!r} changes again and again while it is fetched; try later")

    async def aclose(self) -> None:
        for fetcher in self._fetchers.values():
            await fetcher.aclose()

    def _fetcher(self, address: str) -> Fetcher:
        make = FETCHERS.get(kind_of(address))
        if make not in self._fetchers:
            self._fetchers[make] = make(self._settings)
        return self._fetchers[make]

    async def _pull(self, found: Found) -> AsyncGenerator[Progress, None]:
        with self.folder.pulling(found.name):
            if not (there := await asyncio.to_thread(_is_there, self.folder, found)):
                self._coming[found.name] = found.size_bytes
                try:
                    async with aclosing(self._fetched(found)) as steps:
                        async for step in steps:
                            yield step
                finally:
                    del self._coming[found.name]
        if not there:
            await self.folder.on_changed(found.name)
        yield Progress(PullState.READY, found.size_bytes, found.size_bytes)

    async def _fetched(self, found: Found) -> AsyncGenerator[Progress, None]:
        here = self.folder.path
        arrivals = [Arrival(Part(here, found, file), file, is_link=_can_link(file, here)) for file in found.files]
        try:
            for arrival in arrivals:
                await asyncio.to_thread(arrival.part.begin)
            await self._make_room(found, arrivals)
            before = 0
            for arrival in arrivals:
                async with aclosing(arrival.steps(self._fetcher(found.address), self._backoff_s)) as steps:
                    async for step in steps:
                        yield Progress(step.state, before + step.bytes_done, found.size_bytes, step.note)
                before += arrival.file.size_bytes
            await asyncio.to_thread(_keep, self.folder, found, arrivals)
        finally:
            for arrival in arrivals:
                arrival.part.close()

    async def _make_room(self, found: Found, arrivals: list["Arrival"]) -> None:
        removed = await asyncio.to_thread(
            make_room,
            self.folder,
            found.name,
            size_bytes=found.size_bytes,
            missing_bytes=sum(arrival.part.missing for arrival in arrivals if not arrival.is_link),
            limit_bytes=self._settings.model_cache_mb << 20,
            others={name: size for name, size in self._coming.items() if name != found.name},
        )
        for name in removed:
            await self.folder.on_changed(name)


@dataclass(slots=True)
class Arrival:
    """One file on its way."""

    part: Part
    file: RemoteFile
    sha256: str = ""
    is_link: bool = False

    async def steps(self, fetcher: Fetcher, backoff_s: float) -> AsyncGenerator[Progress, None]:
        """Fetch what is missing, hash all of it, compare, and give the file its name."""
        part, file = self.part, self.file
        if file.local is not None and part.missing:
            await asyncio.to_thread(part.take, file.local)
        best, faults = part.size, 0
        while part.missing:
            yield Progress(PullState.DOWNLOADING, part.size, file.size_bytes)
            try:
                async with aclosing(self._received(fetcher)) as steps:
                    async for step in steps:
                        yield step
            except Changed:
                await asyncio.to_thread(part.discard)
                raise
            except (UpstreamUnavailable, UpstreamTimeout) as error:
                faults = 1 if part.size >= best + STEP_BYTES else faults + 1
                best = max(best, part.size)
                if faults >= MAX_FAULTS:
                    raise _kept(error, part) from error
                yield Progress(
                    PullState.DOWNLOADING,
                    part.size,
                    file.size_bytes,
                    f"{error.message.partition(';')[0]}; trying again",
                )
                wait_s = min(backoff_s * 2 ** (faults - 1), MAX_BACKOFF_S)
                await asyncio.sleep(wait_s if error.retry_after_s is None else error.retry_after_s)
        async with aclosing(self._hashed()) as steps:
            async for step in steps:
                yield step
        await asyncio.to_thread(part.finish)

    async def _received(self, fetcher: Fetcher) -> AsyncGenerator[Progress, None]:
        part, file = self.part, self.file
        async with fetcher.open(file, start=part.resumable_from, etag=part.etag) as body:
            await asyncio.to_thread(part.accept, body)
            async for data in body.pieces:
                await asyncio.to_thread(part.append, data)
                if body.size_bytes not in {None, file.size_bytes}:
                    raise Changed  # said after the first bytes: a web page instead of a model is told apart by them
                yield Progress(PullState.DOWNLOADING, part.size, file.size_bytes)
        if part.missing:
            raise UpstreamUnavailable(f"{file.path!r} ended {part.missing:,} bytes too early")

    async def _hashed(self) -> AsyncGenerator[Progress, None]:
        """Raises UpstreamUnavailable for another hash than the source named; then nothing is kept."""
        digest, done = hashlib.sha256(), 0
        while done < self.file.size_bytes:
            yield Progress(PullState.VERIFYING, done, self.file.size_bytes)
            done += await asyncio.to_thread(self.part.hash_some, digest, done)
        self.sha256 = digest.hexdigest()
        if self.file.sha256 not in {None, self.sha256}:
            await asyncio.to_thread(self.part.discard)
            raise UpstreamUnavailable(
                f"{self.file.path!r} arrived damaged: its sha256 is {self.sha256} instead of {self.file.sha256}; "
                "nothing was kept, pull it again"
            )


def _kept(error: AppError, part: Part) -> UpstreamUnavailable:
    return UpstreamUnavailable(f"{error.message}; {part.size:,} bytes are kept, and the next pull goes on from there")


def _can_link(file: RemoteFile, folder: Path) -> bool:
    """Whether the file takes no room of its own, since it is on this file system already."""
    return file.local is not None and file.local.stat().st_dev == folder.stat().st_dev


def _is_there(folder: ModelFolder, found: Found) -> bool:
    """Whether the same files were pulled before. Raises Conflict when the name belongs to another model."""
    model = next((model for model in folder.files() if model.name == found.name), None)
    if model is None:
        return False
    if model.origin is None or not _same_source(model.origin, found):
        if _half_done(folder, found):
            return False
        source = model.origin.address if model.origin else str(model.path)
        raise Conflict(
            f"there is a model {found.name!r} already, from {source}; remove it first: "
            f"llama-service models rm {found.name}"
        )
    return _is_same(model, model.origin, found)


def _half_done(folder: ModelFolder, found: Found) -> bool:
    """Whether a pull of this address was ended just before it wrote where the model is from."""
    return any(one.name == found.name and one.address == found.address for one in folder.unfinished())


def _same_source(origin: Origin, found: Found) -> bool:
    if found.repo is not None:
        return (origin.repo, origin.files[0].path) == (found.repo, found.files[0].path)
    return origin.address == found.address


def _is_same(model: ModelFile, origin: Origin, found: Found) -> bool:
    if len(origin.files) != len(found.files) or model.size_bytes != found.size_bytes:
        return False
    pairs = zip(origin.files, found.files, strict=True)
    return all(
        new.sha256 == old.sha256 if new.sha256 is not None else new.etag is not None and new.etag == old.etag
        for old, new in pairs
    )


def _keep(folder: ModelFolder, found: Found, arrivals: list[Arrival]) -> None:
    """The model is complete: write down where it is from."""
    files = tuple(FetchedFile(a.file.path, a.file.size_bytes, a.sha256, a.file.etag or a.part.etag) for a in arrivals)
    origin = Origin(
        address=found.address,
        pulled_at=datetime.now(UTC),
        files=files,
        repo=found.repo,
        revision=found.revision,
    )
    write_json(folder.origin_path(found.name), origin)
    for arrival in arrivals:
        arrival.part.forget()
