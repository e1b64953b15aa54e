"""The rows of a file's pages and chunks, made of what was read."""

from typing import Final

from app.db import models
from app.db.models import File, FilePage
from app.rag.pages import Chunk, Page

MAX_LABEL_CHARS: Final = 200
MAX_REASON_CHARS: Final = 500


def page_row(file: File, page: Page, char_from: int) -> FilePage:
    return FilePage(
        file_id=file.id,
        number=page.number,
        char_from=char_from,
        text=page.text,
        label=page.label and storable(page.label)[:MAX_LABEL_CHARS],
        state=page.state,
        reason=page.failure and storable(page.failure)[:MAX_REASON_CHARS],
    )


def chunk_row(file: File, chunk: Chunk) -> models.Chunk:
    return models.Chunk(
        file_id=file.id,
        user_id=file.user_id,
        ordinal=chunk.ordinal,
        page_from=chunk.page_from,
        page_to=chunk.page_to,
        char_from=chunk.char_from,
        char_to=chunk.char_to,
        text=chunk.text,
        context=chunk.context,
        fingerprint=file.fingerprint,
    )


def storable(text: str) -> str:
    """Databases refuse NUL (PostgreSQL) and halves of surrogate pairs. Each is replaced, so that offsets stay."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
