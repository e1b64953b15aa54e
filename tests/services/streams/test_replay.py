"""A resume from what is stored tells a client exactly what it has not seen."""

import json
import random
from uuid import UUID

import msgspec
import pytest

from app.core.enums import CountedBy, FinishReason, Stage
from app.schemas.chat import (
    CitationChecked,
    Event,
    ReasoningDelta,
    RunDone,
    RunFailed,
    RunStarted,
    Source,
    SourcesFound,
    StatusChanged,
    Stretch,
    TextDelta,
    UsageCounted,
)
from app.services.streams import replay
from app.services.streams.base import read_frames
from app.services.streams.replay import StoredRun

ID = UUID(int=7)
STARTED = RunStarted(ID, ID, ID, ID, "openai", "m")
SOURCE = Source(1, ID, "a.pdf", 1, 2, 0, 9, "text", 0.5)
USAGE = UsageCounted(1, 2, CountedBy.PROVIDER, 1.0, 2.0)
DONE = RunDone(FinishReason.STOP, ID)


def sent(rng: random.Random) -> list[Event]:
    """What a live run may have said."""
    events: list[Event] = [STARTED]
    if rng.random() < 0.5:
        events += [StatusChanged(Stage.RETRIEVING), SourcesFound([SOURCE])]
    events.append(StatusChanged(Stage.GENERATING))
    events += [StatusChanged(Stage.RETRYING, attempt=2)] * rng.randrange(3)
    for index in range(rng.randrange(12)):
        events.append((TextDelta if rng.random() < 0.7 else ReasoningDelta)(f"{index}é{'x' * rng.randrange(4)} "))
        events += [cited(index, n) for n in range(rng.choice([0, 0, 1, 2]))]
    if rng.random() < 0.8:
        events += [USAGE, DONE]
    else:
        events.append(RunFailed("upstream_timeout", "silent", retryable=True, request_id="r"))
    return events


def cited(index: int, n: int) -> CitationChecked:
    return CitationChecked(n, True, index, index + 1, None, 0.5, None, None, Stretch(index, index + 1))


def size(event: Event) -> int:
    match event:
        case TextDelta():
            return len(event.text)
        case ReasoningDelta():
            return -len(event.text)
        case SourcesFound():
            return replay.SOURCES
        case CitationChecked():
            return replay.CITATION
    return 0


def stored(events: list[Event]) -> StoredRun:
    end = events[-1]
    assert isinstance(end, RunDone | RunFailed)
    return StoredRun(
        trace=replay.unpack(replay.pack([size(e) for e in events])),
        started=STARTED,
        sources=next((e for e in events if isinstance(e, SourcesFound)), None),
        content=text(events, TextDelta),
        reasoning=text(events, ReasoningDelta),
        usage=next((e for e in events if isinstance(e, UsageCounted)), None),
        end=end,
        citations=[e for e in events if isinstance(e, CitationChecked)],
    )


def text(events: list[Event], kind: type[TextDelta] | type[ReasoningDelta]) -> str:
    return "".join(e.text for e in events if isinstance(e, kind))


@pytest.mark.parametrize("seed", range(60))
def test_what_was_seen_and_the_replay_make_the_whole(seed: int) -> None:
    rng = random.Random(seed)
    events = sent(rng)
    for after in range(len(events) + 2):
        seen, frames = events[:after], list(read_frames(replay.replay(stored(events), after)))
        numbers = [f.number for f in frames]
        assert numbers == sorted(set(numbers))
        assert all(n > after for n in numbers)
        for kind in (TextDelta, ReasoningDelta):
            rest = "".join(json.loads(f.data)["text"] for f in frames if f.kind == kind.kind)
            assert text(seen, kind) + rest == text(events, kind)
        shown = [(f.number, json.loads(f.data)) for f in frames if f.kind == CitationChecked.kind]
        said = [(n, msgspec.to_builtins(e)) for n, e in enumerate(events, 1) if isinstance(e, CitationChecked)]
        assert shown == said[len(said) - len(shown) :]
        assert all(n <= after for n, _ in said[: len(said) - len(shown)])
        for once in ("run", "sources", "usage", "done", "error"):
            count = sum(e.kind == once for e in seen) + sum(f.kind == once for f in frames)
            assert count == sum(e.kind == once for e in events), (once, after)


@pytest.mark.parametrize("seed", range(20))
def test_a_replay_can_be_cut_and_resumed_too(seed: int) -> None:
    rng = random.Random(seed)
    run = stored(sent(rng))
    whole = replay.replay(run, 0)
    got, after = b"", 0
    while frames := list(read_frames(replay.replay(run, after))):
        kept = frames[: rng.randint(1, len(frames))]
        got += b"".join(b"id: %d\nevent: %b\ndata: %b\n\n" % (f.number, f.kind.encode(), f.data) for f in kept)
        after = kept[-1].number
    assert got == whole


def test_a_run_of_which_nothing_is_known_has_a_start_and_an_end() -> None:
    run = StoredRun([0, 0], STARTED, None, "", "", None, RunDone(FinishReason.INTERRUPTED, ID))
    assert [(f.number, f.kind) for f in read_frames(replay.replay(run, 0))] == [(1, "run"), (2, "done")]
    assert replay.replay(run, 2) == b""


def test_the_usage_of_a_later_run_takes_no_number_of_this_one() -> None:
    run = StoredRun([0, 0, 2, 0], STARTED, None, "ab", "", USAGE, RunDone(FinishReason.INTERRUPTED, ID))
    assert [(f.number, f.kind) for f in read_frames(replay.replay(run, 0))] == [(1, "run"), (3, "delta"), (4, "done")]
