"""A resume after the token log has let a run go: the frames are made again from what is stored.

A run's trace holds one number per frame: the characters of answer text it carried, negative for reasoning, SOURCES
for the list of sources, CITATION for a checked citation, 0 for every other event. It says what a client that saw frame
N already has.
"""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.schemas.chat import (
    CitationChecked,
    Event,
    ReasoningDelta,
    RunDone,
    RunFailed,
    RunStarted,
    SourcesFound,
    TextDelta,
    UsageCounted,
)
from app.services.streams.base import frame

SOURCES: Final = 1 << 30  # more characters than any frame can carry
CITATION: Final = SOURCES + 1
_MARKS: Final = {SourcesFound.kind: SOURCES, CitationChecked.kind: CITATION}


def mark(kind: str) -> int:
    """What stands in the trace for an event that carries no text."""
    return _MARKS.get(kind, 0)


def pack(trace: Sequence[int]) -> bytes:
    return zlib.compress(array("i", trace).tobytes(), level=1)


def unpack(packed: bytes) -> list[int]:
    return list(array("i", zlib.decompress(packed)))


def written(trace: Sequence[int]) -> int:
    """Characters of the answer that the frames carried."""
    return sum(size for size in trace if 0 < size < SOURCES)


def thought(trace: Sequence[int]) -> int:
    """Characters of the reasoning that the frames carried."""
    return -sum(size for size in trace if size < 0)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What is known of a finished run. `content` and `reasoning` are this run's part of the message."""

    trace: Sequence[int]
    started: RunStarted
    sources: SourcesFound | None
    content: str
    reasoning: str
    usage: UsageCounted | None
    end: RunDone | RunFailed
    citations: Sequence[CitationChecked] = ()


def replay(run: StoredRun, after: int) -> bytes:
    """The frames after number `after`: text that was sent piece by piece comes as one frame, with its last number."""
    return b"".join(frame(number, event) for number, event in _events(run, after))


def _events(run: StoredRun, after: int) -> Iterator[tuple[int, Event]]:
    trace, total = run.trace, len(run.trace)
    seen = trace[:after]
    text_at, thought_at = written(seen), thought(seen)
    citations = iter(run.citations[seen.count(CITATION) :])
    if after < 1:
        yield 1, run.started
    for kind, group in groupby(enumerate(trace[after:], after + 1), _kind):
        pieces = list(group)
        number, size = pieces[-1][0], abs(sum(piece[1] for piece in pieces))
        if kind is SourcesFound and run.sources is not None:
            yield number, run.sources
        elif kind is CitationChecked:
            yield from zip((piece[0] for piece in pieces), citations, strict=False)
        elif kind is TextDelta:
            yield number, TextDelta(run.content[text_at : text_at + size])
            text_at += size
        elif kind is ReasoningDelta:
            yield number, ReasoningDelta(run.reasoning[thought_at : thought_at + size])
            thought_at += size
    if run.usage is not None and after < total - 1 and total > 2 and trace[-2] == 0:
        yield total - 1, run.usage
    if after < total:
        yield total, run.end


def _kind(numbered: tuple[int, int]) -> type[Event] | None:
    size = numbered[1]
    if size == 0:
        return None
    if size >= SOURCES:
        return SourcesFound if size == SOURCES else CitationChecked
    return TextDelta if size > 0 else ReasoningDelta
