"""The processes that run jobs."""

from sqlalchemy import Double, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base


class Executor(Base):
    """A heartbeat, in seconds since 1970 by the database's clock: processes need not agree about the time."""

    __tablename__ = "executors"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    beat_s: Mapped[float] = mapped_column(Double)
