"""The only door to a row that belongs to a user."""

import re
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.db.base import Owned

R = TypeVar("R", bound=Owned)


def find_owned(session: Session, model: type[R], row_id: UUID, owner: UUID) -> R:
    """The row, when it is the owner's. Raises NotFound for another user's row just as for one that does not exist."""
    row = session.scalar(select(model).where(model.id == row_id, model.user_id == owner))
    if row is None:
        kind = re.sub("(?<!^)(?=[A-Z])", " ", model.__name__).lower()
        raise NotFound(f"there is no {kind} {str(row_id)!r}")
    return row


async def get_owned(session: AsyncSession, model: type[R], row_id: UUID, owner: UUID) -> R:
    """`find_owned` for a session outside the hot path."""
    return await session.run_sync(find_owned, model, row_id, owner)
