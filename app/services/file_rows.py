"""The rows of a file's pages, made of what was read."""

from typing import Final

from app.db.models import File, FilePage
from app.rag.pages import Page

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


def storable(text: str) -> str:
    """Databases refuse NUL (PostgreSQL) and halves of surrogate pairs. Each is replaced, so that offsets stay."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
