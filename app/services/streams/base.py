"""The token log: a run's frames, numbered from 1, stored ready to send, readable from any number on."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from app.schemas.chat import Event, SourcesFound

encode = msgspec.json.Encoder().encode
HEARTBEAT = b": keep-alive\n\n"
HEARTBEAT_S = 15.0


def frame(number: int, event: Event) -> bytes:
    """One server-sent event: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
    data = encode(event.sources) if isinstance(event, SourcesFound) else encode(event)
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, event.kind.encode(), data)


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A frame read back: its number, its event's name and its undecoded data."""

    number: int
    kind: str
    data: bytes


def read_frames(blob: bytes) -> Iterator[StoredFrame]:
    """The frames of a blob that `frame` made."""
    for part in blob.split(b"\n\n"):
        if part:
            number, kind, data = part.split(b"\n", 2)
            yield StoredFrame(int(number[4:]), kind[7:].decode(), data[6:])


@dataclass(slots=True)
class LeftBehind:
    """What a killed process left of a run: every frame that a client may have seen, and the note."""

    blobs: list[bytes] = field(default_factory=list)
    note: bytes | None = None

    def frames(self) -> list[StoredFrame]:
        return [frame for blob in self.blobs for frame in read_frames(blob)]


class StreamWriter(Protocol):
    """The one producer of a run. Its calls return at once; readers see a frame only when it is on disk."""

    @property
    def last(self) -> int:
        """The number of the newest frame."""

    def push(self, event: Event) -> None:
        """Raises StorageFull or Internal once a frame of this run could not be kept; the run has then ended."""

    def note(self, data: bytes) -> None:
        """Keep something beside the frames for whoever recovers the run. Raises StorageFull or Internal."""

    def end(self, event: Event, *, stored: bool) -> None:
        """Push the one terminal event. `stored` False: the message is not, so its frames must outlive the process."""

    def stored(self) -> None:
        """The message is stored after all: its frames may go."""


class StreamLog(Protocol):
    """Write once, read from any frame, any number of readers."""

    def open(self, run_id: str) -> StreamWriter: ...

    def tail(self, run_id: str, after: int) -> AsyncIterator[bytes] | None:
        """Frames after number `after`, live until the end; None when the log no longer has the run."""

    def left_behind(self, run_ids: Collection[str]) -> Mapping[str, LeftBehind]:
        """What an earlier process left of these runs."""

    def forget_left_behind(self) -> None:
        """Drop all of an earlier process, once what is needed of it is stored elsewhere."""

    async def aclose(self) -> None: ...
