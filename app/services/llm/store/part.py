"""A file on its way: NAME.gguf.part beside NAME.gguf.part.json, which says what it is a part of."""

import errno
import hashlib
import os
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from app.core.errors import Conflict, StorageFull, UnsupportedType, UpstreamUnavailable
from app.services.llm.store.base import MAGIC, Body, Changed, Found, RemoteFile

PART: Final = ".part"
STATE: Final = ".gguf.part.json"
HASHED_BYTES: Final = 16 << 20  # in one step of a thread
FULL: Final = {errno.ENOSPC, errno.EDQUOT}


class PartState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bytes of a .part belong to. `resume_etag` is the server's, for If-Range."""

    name: str
    address: str
    url: str
    size_bytes: int
    total_bytes: int
    sha256: str | None = None
    etag: str | None = None
    resume_etag: str | None = None

    def is_of(self, other: "PartState") -> bool:
        """Whether both surely mean the same bytes. A hash says so by itself, wherever it was read."""
        if self.sha256 is not None or other.sha256 is not None:
            return self.sha256 == other.sha256 and self.size_bytes == other.size_bytes
        mine = (self.url, self.size_bytes, self.etag)
        return self.etag is not None and mine == (other.url, other.size_bytes, other.etag)


class Part:
    """Blocking: call it in a thread. What a killed process has written is there for the next `begin`."""

    def __init__(self, folder: Path, found: Found, file: RemoteFile) -> None:
        self._file = file
        self.final = folder / file.name
        self.path = self.final.with_name(self.final.name + PART)
        self._state_path = self.final.with_name(self.final.name + PART + ".json")
        self._state = PartState(
            name=found.name,
            address=found.address,
            url=file.url,
            size_bytes=file.size_bytes,
            total_bytes=found.size_bytes,
            sha256=file.sha256,
            etag=file.etag,
        )
        self._output: FileIO | None = None
        self.size = 0
        self.finished = False

    @property
    def etag(self) -> str | None:
        return self._state.resume_etag

    @property
    def resumable_from(self) -> int:
        """Where to go on; 0 when nothing could tell that the file is still the same one."""
        return self.size if self._file.sha256 is not None or self.etag is not None else 0

    @property
    def missing(self) -> int:
        return self._file.size_bytes - self.size

    def begin(self) -> None:
        """Find out what is already there."""
        earlier = self._read_state()
        if earlier is None or not earlier.is_of(self._state):
            self._begin_again()
        elif not self.path.exists():
            self.finished = _size(self.final) == self._file.size_bytes  # renamed, but its model was not complete
            if self.finished:
                self.size = self._file.size_bytes
            else:
                self._begin_again()
        else:
            self._state = msgspec.structs.replace(self._state, resume_etag=earlier.resume_etag)
            self._open()
            if self.size > self._file.size_bytes:
                self._begin_again()

    def accept(self, body: Body) -> None:
        """What a server is about to send. Bytes from 0 on take the place of those that are here."""
        if body.start != self.size:
            if body.start != 0:
                raise UpstreamUnavailable(f"the server sent bytes from {body.start} on instead of {self.size}")
            self._truncate()
        if body.etag != self._state.resume_etag:
            self._state = msgspec.structs.replace(self._state, resume_etag=body.etag)
            self._write_state()

    def append(self, data: bytes) -> None:
        """Raises UnsupportedType for what is no GGUF, StorageFull, or Changed for more than the file has."""
        if self.size < len(MAGIC) and not data.startswith(MAGIC[self.size :][: len(data)]):
            self.discard()
            raise not_gguf(self._file.path, data)
        if len(data) > self.missing:
            raise Changed
        assert self._output is not None  # noqa: S101 - it was begun
        try:
            written = 0
            while written < len(data):
                written += self._output.write(memoryview(data)[written:])
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull(
                    "the disk is full; what was fetched is kept, pull again when there is room"
                ) from error
            raise
        self.size += len(data)

    def hash_some(self, digest: "hashlib._Hash", start: int) -> int:
        """Hash the next bytes from `start`; returns how many. Raises Conflict when there are none."""
        with (self.final if self.finished else self.path).open("rb", buffering=0) as file:
            file.seek(start)
            data = file.read(HASHED_BYTES)
        if not data:
            raise Conflict(f"{str(self.path)!r} became shorter while it was checked; pull it again")
        digest.update(data)
        return len(data)

    def finish(self) -> None:
        """On disk for good under its own name. The .part.json stays until the whole model is there."""
        if self.finished:
            return
        if self._output is not None:
            os.fsync(self._output.fileno())
        self.close()
        self.path.replace(self.final)
        self.finished = True

    def take(self, source: Path) -> bool:
        """Link a file of this machine instead of copying it. False: it lies on another file system."""
        try:
            with source.open("rb") as file:
                head = file.read(len(MAGIC))
            if head != MAGIC:
                self.discard()
                raise not_gguf(str(source), head)
            self.close()
            self.path.unlink()
            os.link(source, self.path, follow_symlinks=True)
        except OSError:
            self._begin_again()
            return False
        self.size = self.path.stat().st_size
        return self.missing == 0

    def discard(self) -> None:
        self.close()
        self._state_path.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)
        if self.finished:
            self.final.unlink(missing_ok=True)
        self.size, self.finished = 0, False

    def forget(self) -> None:
        """After the model's own record was written."""
        self._state_path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._output is not None:
            self._output.close()
            self._output = None

    def _begin_again(self) -> None:
        """The .part comes before its .part.json: one without .part means that the file was finished."""
        self.discard()
        self._open()
        self._write_state()

    def _open(self) -> None:
        self._output = FileIO(self.path, "ab")
        self.size = os.fstat(self._output.fileno()).st_size

    def _truncate(self) -> None:
        """By a new file: the old one may be a link to a file that is not ours."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._open()

    def _write_state(self) -> None:
        write_json(self._state_path, self._state)

    def _read_state(self) -> PartState | None:
        try:
            return msgspec.json.decode(self._state_path.read_bytes(), type=PartState)
        except (OSError, msgspec.DecodeError):
            return None


def write_json(path: Path, value: msgspec.Struct) -> None:
    """Whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2))
    new.replace(path)


def not_gguf(path: str, head: bytes) -> UnsupportedType:
    return UnsupportedType(
        f"{path!r} is not a GGUF model: it begins with {head[:16]!r} instead of {MAGIC!r}; nothing was kept"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1
