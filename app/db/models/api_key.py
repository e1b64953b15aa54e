"""API keys: what programs sign in with."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Json, Owned

NOT_REVOKED = text("revoked_at IS NULL")


class ApiKey(Owned):
    """One key. `digest` is the SHA-256 of its secret: the secret itself is nowhere."""

    __tablename__ = "api_keys"
    __table_args__ = (
        # A name is free again as soon as its key is revoked.
        Index(
            "uq_api_keys_user_id_name",
            "user_id",
            "name",
            unique=True,
            sqlite_where=NOT_REVOKED,
            postgresql_where=NOT_REVOKED,
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[object]] = mapped_column(Json)
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
