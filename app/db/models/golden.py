"""Golden questions: those whose right page a user knows, and what search made of them, run by run."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Json, Owned


class GoldenQuestion(Owned):
    """The file is known by its bytes, so that the question outlives a file that is deleted and uploaded again."""

    __tablename__ = "golden_questions"
    __table_args__ = (Index("ix_golden_questions_user_created", "user_id", "created_at", "id"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    question: Mapped[str] = mapped_column(Text)
    file_name: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64))
    page: Mapped[int]


class GoldenRun(Owned):
    """The ranks of one run: question id -> mode -> rank."""

    __tablename__ = "golden_runs"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    embedder: Mapped[str | None] = mapped_column(String(200))
    ranks: Mapped[dict[str, object]] = mapped_column(Json)
