"""The stored text of files: spans of it, and short files whole. Offsets count from the beginning of a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.core.enums import FileStatus
from app.crud.sharing import READABLE_FILE
from app.db.models import File, FilePage

SEPARATOR = "\f"  # between the pages of a file


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file, and the pages that it is on."""

    file_id: UUID
    page_from: int
    page_to: int
    char_from: int
    char_to: int


@dataclass(frozen=True, slots=True)
class PageText:
    """One page of a ready file, with the file's name."""

    file_id: UUID
    file_name: str
    number: int
    label: str | None
    char_from: int
    text: str


def of_spans(session: Session, reader: UUID, spans: Sequence[Span]) -> dict[Span, str]:
    """The text of each span whose pages are stored, of files that the reader may read at this moment."""
    on = [
        and_(FilePage.file_id == span.file_id, FilePage.number.between(span.page_from, span.page_to)) for span in spans
    ]
    rows = session.execute(
        select(FilePage.file_id, FilePage.number, FilePage.char_from, FilePage.text)
        .join(File, File.id == FilePage.file_id)
        .where(or_(*on), READABLE_FILE)
        .order_by(FilePage.file_id, FilePage.number),
        {"reader": reader},
    ).all()
    texts: dict[Span, str] = {}
    for span in spans:
        pages = [row for row in rows if row.file_id == span.file_id and span.page_from <= row.number <= span.page_to]
        whole = SEPARATOR.join(row.text for row in pages)
        begin = pages[0].char_from if pages else 0
        if len(pages) == span.page_to - span.page_from + 1 and begin <= span.char_from <= span.char_to <= begin + len(
            whole
        ):
            texts[span] = whole[span.char_from - begin : span.char_to - begin]
    return texts


def total_chars(session: Session, file_ids: Sequence[UUID]) -> int:
    """How long the texts of these files are together: where each one's last page ends. Reads one page of each."""
    last = (
        select(FilePage.file_id, func.max(FilePage.number).label("number"))
        .where(FilePage.file_id.in_(file_ids))
        .group_by(FilePage.file_id)
        .subquery()
    )
    ends = select(func.sum(FilePage.char_from + func.length(FilePage.text))).join(
        last, and_(FilePage.file_id == last.c.file_id, FilePage.number == last.c.number)
    )
    return int(session.scalar(ends) or 0)


def of_files(session: Session, reader: UUID, file_ids: Sequence[UUID]) -> list[PageText]:
    """All pages with text of those files that are ready and that the reader may read, in the given order."""
    rows = session.execute(
        select(FilePage.file_id, File.name, FilePage.number, FilePage.label, FilePage.char_from, FilePage.text)
        .join(File, File.id == FilePage.file_id)
        .where(File.id.in_(file_ids), File.status == FileStatus.READY, READABLE_FILE),
        {"reader": reader},
    ).all()
    order = {file_id: place for place, file_id in enumerate(file_ids)}
    pages = [PageText(*row) for row in rows if row.text.strip()]
    return sorted(pages, key=lambda page: (order[page.file_id], page.number))
