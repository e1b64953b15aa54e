"""The numbered passages that an answer may rest on."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from app.crud.scope import Scope
from app.rag.retriever import Retriever
from app.schemas.chat import Source
from app.services.llm.base import PassageText

PASSAGES: Final = 8  # of at most 1,000 characters each: the right page is there as often as more of them would have it


async def find_sources(
    retriever: Retriever, user_id: UUID, question: str, *, scope: Scope, related_only: bool
) -> list[Source]:
    """The best passages for a question of what the user may read in this scope, best first, numbered from 1."""
    found = await retriever.search(user_id, question, scope=scope, limit=PASSAGES, related_only=related_only)
    return [
        Source(
            n=n,
            file_id=p.file_id,
            file_name=p.file_name,
            page_from=p.page_from,
            page_to=p.page_to,
            char_from=p.char_from,
            char_to=p.char_to,
            text=p.text,
            score=round(p.score, 4),
            context=p.context,
            page_label=p.page_label,
        )
        for n, p in enumerate(found.passages, 1)
    ]


def passage_texts(sources: Sequence[Source]) -> list[PassageText]:
    """For providers that answer from passages alone."""
    return [PassageText(s.n, s.file_name, s.page_from, s.page_to, s.text, s.page_label) for s in sources]
