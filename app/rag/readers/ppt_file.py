"""Old PowerPoint files as bytes (MS-PPT): records in records, and which of them are the slides."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from app.rag.pages import ParseError
from app.rag.readers.ole import AGAIN, LOCKED, Streams

DOCUMENT, SLIDE, NOTES, NOTES_ATOM = 0x03E8, 0x03EE, 0x03F0, 0x03F1
LIST, PERSIST, HEADER, CHARS, BYTES = 0x0FF0, 0x03F3, 0x0F9F, 0x0FA0, 0x0FA8
EDIT, DIRECTORY = 0x0FF5, 0x1772
SLIDES, NOTES_LIST = 0, 2
ENCRYPTED_TOKEN = 0xF3D1C4DF
MAX_EDITS = 1000


class Record(NamedTuple):
    """Its body is `data[start:end]`. A container's body is records."""

    kind: int
    instance: int
    is_container: bool
    start: int
    end: int


class Text(NamedTuple):
    """`kind`: 0 and 6 are titles, 1, 7 and 8 the lists of a slide, 2 notes."""

    kind: int
    said: str


class SlideRecord(NamedTuple):
    """`texts` are those that the outline has; `notes` is the record of its notes."""

    record: Record
    texts: list[Text]
    notes: Record | None


class PptFile:
    """Raises ParseError `damaged` or `encrypted`."""

    def __init__(self, streams: Streams) -> None:
        self.data = streams.read("PowerPoint Document")
        user = streams.read("Current User")
        if len(user) >= 20 and struct.unpack_from("<I", user, 12)[0] == ENCRYPTED_TOKEN:
            raise LOCKED
        edit = struct.unpack_from("<I", user, 16)[0] if len(user) >= 20 else 0
        self._places, document = self._directory(edit)
        found = self._record(self._places.get(document, len(self.data)), DOCUMENT)
        self._document = found or next((r for r in self.records() if r.kind == DOCUMENT), None)
        if self._document is None:
            raise ParseError("damaged", f"the presentation is damaged: no document is found in it; {AGAIN}")

    def records(self, within: Record | None = None) -> Iterator[Record]:
        """The records in a container, or in the whole file. Damaged lengths end with the container."""
        at, end = (within.start, within.end) if within else (0, len(self.data))
        while at + 8 <= end:
            head, kind, length = struct.unpack_from("<HHI", self.data, at)
            stop = min(at + 8 + length, end)
            yield Record(kind, head >> 4, head & 15 == 15, at + 8, stop)
            at = stop

    def slides(self) -> Iterator[SlideRecord]:
        """In the order in which they are shown; in that of the file when the outline is damaged."""
        notes = {number: record for record, number in self._notes()}
        listed = list(self._listed(SLIDES))
        for place, number, texts in listed:
            record = self._record(place, SLIDE)
            if record is not None:
                yield SlideRecord(record, texts, notes.get(number))
        if not listed:
            yield from (SlideRecord(record, [], None) for record in self.records() if record.kind == SLIDE)

    def text(self, record: Record) -> str:
        """Of an atom of characters or bytes."""
        body = self.data[record.start : record.end]
        said = body.decode("utf-16-le", "replace") if record.kind == CHARS else body.decode("latin-1")
        return said.replace("\x0b", "\n").replace("\r", "\n\n")

    def number(self, record: Record, offset: int = 0) -> int:
        """Four bytes of a body."""
        if record.start + offset + 4 > record.end:
            return -1
        return int(struct.unpack_from("<I", self.data, record.start + offset)[0])

    def _notes(self) -> Iterator[tuple[Record, int]]:
        """With the number of the slide that they are for."""
        for place, _, _ in self._listed(NOTES_LIST):
            record = self._record(place, NOTES)
            atom = next((r for r in self.records(record) if r.kind == NOTES_ATOM), None) if record else None
            if record is not None and atom is not None:
                yield record, self.number(atom)

    def _listed(self, instance: int) -> Iterator[tuple[int, int, list[Text]]]:
        """Place, number and texts of what one of the document's lists names."""
        lists = [r for r in self.records(self._document) if r.kind == LIST and r.instance == instance]
        texts: list[Text] = []
        kind = 4
        for record in (record for each in lists for record in self.records(each)):
            if record.kind == PERSIST:
                texts = []
                place = self._places.get(self.number(record), len(self.data))
                yield place, self.number(record, 12), texts
            elif record.kind == HEADER:
                kind = self.number(record)
                texts.append(Text(kind, ""))
            elif record.kind in {CHARS, BYTES} and texts:
                texts[-1] = Text(kind, self.text(record))

    def _record(self, place: int, kind: int) -> Record | None:
        if place + 8 > len(self.data):
            return None
        head, found, length = struct.unpack_from("<HHI", self.data, place)
        if found != kind:
            return None
        return Record(found, head >> 4, head & 15 == 15, place + 8, min(place + 8 + length, len(self.data)))

    def _directory(self, edit: int) -> tuple[dict[int, int], int]:
        """Where each numbered record is after the last edit, and the number of the document."""
        places: dict[int, int] = {}
        document = -1
        for _ in range(MAX_EDITS):
            record = self._record(edit, EDIT)
            if record is None or record.end - record.start < 20:
                break
            document = self.number(record, 16) if document < 0 else document
            directory = self._record(self.number(record, 12), DIRECTORY)
            if directory is not None:
                places = {**dict(self._entries(directory)), **places}
            edit = self.number(record, 8)
            if edit == 0:
                break
        return places, document

    def _entries(self, directory: Record) -> Iterator[tuple[int, int]]:
        at = directory.start
        while at + 4 <= directory.end:
            (head,) = struct.unpack_from("<I", self.data, at)
            first, count = head & 0xFFFFF, min(head >> 20, (directory.end - at - 4) // 4)
            yield from enumerate(struct.unpack_from(f"<{count}I", self.data, at + 4), first)
            at += 4 + 4 * count
