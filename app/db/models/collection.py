"""Collections: named sets of files that their owner shares with users, or with everybody."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Owned, Row

EVERYBODY = text("user_id IS NULL")


class Collection(Owned):
    __tablename__ = "collections"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")


class CollectionFile(Base):
    """A file in a collection: it stays its owner's, who need not be the collection's."""

    __tablename__ = "collection_files"

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"), primary_key=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("files.id", ondelete="CASCADE"), primary_key=True, index=True)


class CollectionShare(Row):
    """Who may use a collection beside its owner. `user_id` null: everybody."""

    __tablename__ = "collection_shares"
    __table_args__ = (
        UniqueConstraint("collection_id", "user_id"),
        Index(
            "uq_collection_shares_everybody",
            "collection_id",
            unique=True,
            sqlite_where=EVERYBODY,
            postgresql_where=EVERYBODY,
        ),
    )

    collection_id: Mapped[UUID] = mapped_column(ForeignKey("collections.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    access: Mapped[str] = mapped_column(String(8))
