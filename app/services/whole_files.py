"""Short files as they are: every page a source of its own, in order, so that citations stay exact to the page."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.crud import page_texts
from app.crud.page_texts import PageText
from app.db.session import Session
from app.schemas.chat import Source
from app.services.ledger import cost, passage
from app.services.llm.tokens import CHARS_PER_TOKEN

SHARE: Final = 3  # of the model's context: a third
MAX_FILES: Final = 50


def room_tokens(context_tokens: int) -> int:
    """How many tokens the files may take together."""
    return context_tokens // SHARE


def whole(session: Session, *, reader: UUID, file_ids: Sequence[UUID], room: int) -> list[Source] | None:
    """The pages of these files, numbered from 1; None when they are more than `room` tokens, or have no text."""
    if not 0 < len(file_ids) <= MAX_FILES or page_texts.total_chars(session, file_ids) > room * CHARS_PER_TOKEN:
        return None
    sources = [_source(n, page) for n, page in enumerate(page_texts.of_files(session, reader, file_ids), 1)]
    return sources if sources and sum(cost(passage(source)) for source in sources) <= room else None


def _source(n: int, page: PageText) -> Source:
    text = page.text.strip()
    char_from = page.char_from + page.text.index(text)
    return Source(
        n=n,
        file_id=page.file_id,
        file_name=page.file_name,
        page_from=page.number,
        page_to=page.number,
        char_from=char_from,
        char_to=char_from + len(text),
        text=text,
        score=1.0,
        page_label=page.label,
    )
