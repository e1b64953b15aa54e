"""Cursors of lists that are sorted by a time and an id, newest first."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

from app.core.errors import ValidationFailed

Position = tuple[datetime, UUID]


def encode(at: datetime, row_id: UUID) -> str:
    """The cursor that stands for "after this row"."""
    return urlsafe_b64encode(f"{at.isoformat()} {row_id}".encode()).decode().rstrip("=")


def decode(cursor: str) -> Position:
    """The row that a cursor stands for. Raises ValidationFailed."""
    try:
        at, row_id = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        when = datetime.fromisoformat(at)
        if when.tzinfo is None:
            raise ValueError(at)
        return when.astimezone(UTC), UUID(row_id)
    except (ValueError, OverflowError):  # the latter: year 1 in a zone that is ahead
        raise ValidationFailed(f"cursor={cursor[:80]!r} is not one that a list returned; start without it") from None
