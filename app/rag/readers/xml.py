"""XML as a stream of events. No tree, so neither depth nor size counts; no document type, so no entities."""

from collections.abc import Callable
from typing import Protocol
from xml.parsers import expat

from app.rag.pages import ParseError

PIECE_BYTES = 1 << 16


class Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Events(Protocol):
    """Names come without their prefix: `w:p` is `p`."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


def parse_xml(source: Source, events: Events, *, typed: bool = False) -> None:
    """Tell `events` what the document holds. Raises ParseError when it is malformed or declares entities.

    `typed`: it may name a document type, which is not read. Elsewhere that alone is refused.
    """
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = _local_start(events)
    parser.EndElementHandler = _local_end(events)
    parser.CharacterDataHandler = events.text
    parser.EntityDeclHandler = _refuse
    if not typed:
        parser.StartDoctypeDeclHandler = _refuse
    try:
        while piece := source.read(PIECE_BYTES):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the latter two: an encoding nobody knows
        raise ParseError("damaged", f"the document is damaged: {error}; save the file again") from error


def _local_start(events: Events) -> Callable[[str, dict[str, str]], None]:
    start = events.start
    return lambda name, attributes: start(name.rpartition(":")[2], attributes)


def _local_end(events: Events) -> Callable[[str], None]:
    end = events.end
    return lambda name: end(name.rpartition(":")[2])


def _refuse(*_: object) -> None:
    raise ParseError("damaged", "the document declares XML entities, which is refused for safety")
