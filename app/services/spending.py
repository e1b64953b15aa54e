"""Counts what answers that are not stored have used."""

from functools import partial

from app.core.enums import CountedBy
from app.crud import usage
from app.crud.usage import Usage
from app.db.session import Database
from app.services.answering import Spent


class Spending:
    """A Record that adds to the usage figures."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, spent: Spent) -> None:
        used = Usage(
            user_id=spent.user_id,
            model_source=spent.model_source,
            model=spent.model,
            surface=spent.surface,
            prompt_tokens=spent.tokens.prompt_tokens,
            completion_tokens=spent.tokens.completion_tokens,
            is_estimated=spent.tokens.counted_by is CountedBy.ESTIMATE,
            is_failed=spent.failed,
            cost=spent.cost,
            messages=spent.messages,
        )
        await self._db.write(partial(usage.add, usage=used))
