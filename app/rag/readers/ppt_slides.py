"""The slides of an old PowerPoint file: titles, lists, tables, other texts, notes."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.rag.readers.ppt_file import BYTES, CHARS, HEADER, PptFile, Record, SlideRecord, Text
from app.rag.readers.sections import Part
from app.rag.readers.tables import Cell, Grid

GROUP, SHAPE, TEXT_BOX, ANCHOR, OPTIONS = 0xF003, 0xF004, 0xF00D, 0xF00F, (0xF00B, 0xF121, 0xF122)
OUTLINE_REF, SLIDE_INFO = 0x0F9E, 0x03F9
TABLE_OPTION = 0x039F
HIDDEN = 0x04
TITLES, LISTS, NOTES_KIND = {0, 6}, {1, 7, 8}, 2
MAX_DEPTH = 200


@dataclass(frozen=True, slots=True)
class Box:
    """A text and where it stands in its group: left, top, right, bottom."""

    said: str
    place: tuple[int, int, int, int]


@dataclass(slots=True)
class Said:
    """What was found on one slide so far."""

    titles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # texts of the outline


def ppt_parts(file: PptFile) -> Iterator[Part]:
    """A part for each slide."""
    for number, slide in enumerate(file.slides(), 1):
        said = Said()
        for record in file.records(slide.record):
            if record.is_container:
                _walk(file, record, slide, said, 0)
        rest = [text for index, text in enumerate(slide.texts) if index not in said.used]
        for text in rest:
            _place(text, said)
        title = " ".join(" ".join(said.titles).split())
        label = f"Slide {number}" + " (hidden)" * _is_hidden(file, slide.record)
        notes = "\n".join(_notes(file, slide.notes)) if slide.notes else ""
        texts = [f"# {title}" if title else "", *said.texts, f"Notes: {notes}" if notes.strip() else ""]
        yield Part(f"{label}: {title}" if title else label, "\n\n".join(filter(None, texts)))


def _walk(file: PptFile, within: Record, slide: SlideRecord, said: Said, depth: int) -> None:
    if within.kind == GROUP and _is_table(file, within):
        said.texts.append(_table(file, within, slide))
        return
    for record in file.records(within):
        if record.kind == TEXT_BOX:
            if text := _text(file, record, slide, said):
                _place(text, said)
        elif record.is_container and depth < MAX_DEPTH:
            _walk(file, record, slide, said, depth + 1)


def _place(text: Text, said: Said) -> None:
    words = text.said.strip()
    if not words or words == "*":  # stands for the date or the number of the slide
        return
    if text.kind in TITLES:
        said.titles.append(words)
    elif text.kind in LISTS:
        said.texts.append("\n".join(f"- {line.strip()}" for line in words.split("\n\n") if line.strip()))
    else:
        said.texts.append(words)


def _text(file: PptFile, box: Record, slide: SlideRecord | None, said: Said) -> Text | None:
    """Its own, or one of the outline's."""
    kind = 4
    for record in file.records(box):
        if record.kind == HEADER:
            kind = file.number(record)
        elif record.kind in {CHARS, BYTES}:
            return Text(kind, file.text(record))
        elif record.kind == OUTLINE_REF and slide is not None:
            index = file.number(record)
            if 0 <= index < len(slide.texts):
                said.used.add(index)
                return slide.texts[index]
    return None


def _is_table(file: PptFile, group: Record) -> bool:
    """The first shape of a group is the group itself; a table's has the heights of its rows among its options."""
    first = next((record for record in file.records(group) if record.kind == SHAPE), None)
    if first is None:
        return False
    for record in file.records(first):
        if record.kind in OPTIONS:
            for at in range(record.start, min(record.start + 6 * record.instance, record.end - 5), 6):
                if struct.unpack_from("<H", file.data, at)[0] & 0x3FFF == TABLE_OPTION:
                    return True
    return False


def _table(file: PptFile, group: Record, slide: SlideRecord) -> str:
    """Rows and columns are where cells begin; a merged cell covers several."""
    boxes = [box for record in file.records(group) if (box := _box(file, record, slide)) is not None]
    lefts = sorted({box.place[0] for box in boxes})
    tops = sorted({box.place[1] for box in boxes})
    rows: dict[int, list[Box]] = {top: [] for top in tops}
    for box in boxes:
        rows[box.place[1]].append(box)
    grid = Grid([
        [_cell(box, lefts, tops) for box in sorted(row, key=lambda box: box.place[0])] for row in rows.values()
    ])  # fmt: skip
    return "\n".join(grid.lines())


def _box(file: PptFile, shape: Record, slide: SlideRecord) -> Box | None:
    said, place = None, None
    for record in file.records(shape) if shape.kind == SHAPE else ():
        if record.kind == TEXT_BOX:
            text = _text(file, record, slide, Said())
            said = text.said if text else ""
        elif record.kind == ANCHOR and record.end - record.start >= 16:
            place = struct.unpack_from("<4i", file.data, record.start)
    return Box(said, (place[0], place[1], place[2], place[3])) if said is not None and place is not None else None


def _cell(box: Box, lefts: list[int], tops: list[int]) -> Cell:
    left, top, right, bottom = box.place
    columns = sum(left <= each < right for each in lefts)
    rows = sum(top <= each < bottom for each in tops)
    return Cell(box.said, max(1, columns), max(1, rows), heads=top == tops[0])


def _notes(file: PptFile, record: Record, depth: int = 0) -> Iterator[str]:
    for inner in file.records(record):
        if inner.kind == TEXT_BOX:
            text = _text(file, inner, None, Said())
            if text is not None and text.kind == NOTES_KIND:
                yield text.said.strip().replace("\n\n", "\n")
        elif inner.is_container and depth < MAX_DEPTH:
            yield from _notes(file, inner, depth + 1)


def _is_hidden(file: PptFile, slide: Record) -> bool:
    info = next((record for record in file.records(slide) if record.kind == SLIDE_INFO), None)
    return info is not None and info.end - info.start >= 12 and bool(file.data[info.start + 10] & HIDDEN)
