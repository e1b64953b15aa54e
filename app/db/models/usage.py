"""What was used: one row for each user, day, model and surface, which outlives the conversations it comes from."""

from datetime import date
from uuid import UUID

from sqlalchemy import BigInteger, Double, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class UsageDay(Base):
    """Sums of one UTC day. `model` is empty where none was named. `cost` in US dollars; NULL: no price is known."""

    __tablename__ = "usage_days"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True, index=True)
    model_source: Mapped[str] = mapped_column(String(64), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    surface: Mapped[str] = mapped_column(String(16), primary_key=True)
    messages: Mapped[int]
    failed: Mapped[int]
    estimated: Mapped[int]
    prompt_tokens: Mapped[int] = mapped_column(BigInteger)
    completion_tokens: Mapped[int] = mapped_column(BigInteger)
    cost: Mapped[float | None] = mapped_column(Double)
