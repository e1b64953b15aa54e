"""ZIP archives that nobody vouches for: bounded in entries and in what they unpack to."""

import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.rag.pages import ParseError

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 200 << 20


class Archive:
    """Reads entries by name. All of them together unpack to at most 200 MB; beyond that ParseError `too_much_text`."""

    def __init__(self, path: Path) -> None:
        try:
            self._zip = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise _no_archive(path, error) from error
        except (NotImplementedError, ValueError, OSError) as error:
            raise _damaged(error) from error
        self.names = frozenset(self._zip.namelist())
        self._left = MAX_UNPACKED_BYTES
        if len(self.names) > MAX_ENTRIES:
            raise ParseError("damaged", f"the archive has more than {MAX_ENTRIES} entries")

    def open(self, name: str) -> "Entry":
        """A stream of the entry `name`. Raises ParseError when it is locked or damaged."""
        try:
            return Entry(self, self._zip.open(name))
        except RuntimeError as error:  # zipfile's word for "needs a password"
            raise ParseError("encrypted", "the file is protected by a password; upload it without one") from error
        except (zipfile.BadZipFile, NotImplementedError, KeyError, OSError) as error:
            raise _damaged(error, name) from error

    def read(self, name: str) -> bytes:
        with self.open(name) as entry:
            return b"".join(iter(lambda: entry.read(1 << 20), b""))

    def count(self, size: int) -> None:
        """Charge `size` unpacked bytes."""
        self._left -= size
        if self._left < 0:
            limit = MAX_UNPACKED_BYTES >> 20
            raise ParseError("too_much_text", f"the file unpacks to more than {limit} MB; split it into smaller ones")


def _no_archive(path: Path, error: zipfile.BadZipFile) -> ParseError:
    """Office encrypts a document as a whole and stores it in an OLE file."""
    with path.open("rb") as file:
        if file.read(len(OLE)) == OLE:
            return ParseError("encrypted", "the document is protected by a password; save it without one")
    return _damaged(error)


def _damaged(error: Exception, name: str | None = None) -> ParseError:
    """Reasons that zipfile and zlib do not give themselves are Python's, and say nothing to people."""
    why = f" ({error})" if isinstance(error, zipfile.BadZipFile | zlib.error) else ""
    part = "what is packed in it" if name is None else f"its part {name!r}"
    return ParseError("damaged", f"the file is damaged: {part} cannot be unpacked{why}; save it again")


class Entry:
    """One entry as a binary stream, charged to its archive as it is unpacked."""

    def __init__(self, archive: Archive, stream: IO[bytes]) -> None:
        self._archive = archive
        self._stream = stream

    def read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise _damaged(error, self._stream.name) from error
        self._archive.count(len(data))
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
