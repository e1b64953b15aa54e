"""What users used of models: added up by day as answers end, and read as sums."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.enums import Surface
from app.db.base import now, table_of
from app.db.models import File, UsageDay, User

TABLE = table_of(UsageDay)
KEY = ("user_id", "day", "model_source", "model", "surface")
COUNTS = ("messages", "failed", "prompt_tokens", "completion_tokens", "estimated")
COST_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Usage:
    """One answer, or with `messages` 0 what one took besides. `is_estimated`: its tokens were not counted by the
    model's side. `cost` in US dollars or unknown."""

    user_id: UUID
    model_source: str
    model: str | None
    surface: Surface
    prompt_tokens: int = 0
    completion_tokens: int = 0
    is_estimated: bool = False
    is_failed: bool = False
    cost: float | None = None
    messages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums. `failed` and `estimated` say how many of the messages were; `cost` sums what is known of it."""

    messages: int
    failed: int
    prompt_tokens: int
    completion_tokens: int
    estimated: int
    cost: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfModel(Figures):
    model_source: str
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDay(OfModel):
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class OfUser(Figures):
    username: str


@dataclass(frozen=True, slots=True)
class Range:
    """Days, both included; of one user or, None, of all."""

    first: date
    last: date
    user_id: UUID | None = None


def _upsert(new: postgresql.Insert | sqlite.Insert) -> Insert:
    """A row is made by the first answer of a day and added to by the others."""
    old, more = TABLE.c, new.excluded
    sums = {name: old[name] + more[name] for name in COUNTS}
    cost = func.coalesce(old.cost + more.cost, old.cost, more.cost)
    return new.on_conflict_do_update(index_elements=list(KEY), set_={**sums, "cost": cost})


_ADD = {"sqlite": _upsert(sqlite.insert(TABLE)), "postgresql": _upsert(postgresql.insert(TABLE))}


def add(session: Session, usage: Usage) -> None:
    """Count one answer, today. The row is shared by all of a user's answers: do it last in a transaction."""
    values = {
        "user_id": usage.user_id,
        "day": now().date(),
        "model_source": usage.model_source,
        "model": usage.model or "",
        "surface": usage.surface.value,
        "messages": usage.messages,
        "failed": int(usage.is_failed),
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "estimated": int(usage.is_estimated and usage.messages > 0),
        "cost": usage.cost,
    }
    session.execute(_ADD[session.get_bind().dialect.name], values)


def totals(session: Session, days: Range) -> Figures:
    row = session.execute(_sums(days)).one()
    return Figures(**_figures(row))


def by_model(session: Session, days: Range, limit: int) -> Sequence[OfModel]:
    """The most used first."""
    model = (TABLE.c.model_source, TABLE.c.model)
    query = _sums(days, *model).group_by(*model).order_by(_tokens().desc(), *model).limit(limit)
    return [OfModel(model_source=row[-2], model=row[-1] or None, **_figures(row)) for row in session.execute(query)]


def by_day(session: Session, days: Range, limit: int) -> Sequence[OfDay]:
    """One for each model of each day, the newest `limit` of them, oldest first."""
    key = (TABLE.c.day, TABLE.c.model_source, TABLE.c.model)
    query = _sums(days, *key).group_by(*key).order_by(*(column.desc() for column in key)).limit(limit)
    rows = session.execute(query).all()[::-1]
    return [OfDay(day=row[-3], model_source=row[-2], model=row[-1] or None, **_figures(row)) for row in rows]


def by_user(session: Session, days: Range, limit: int) -> Sequence[OfUser]:
    """The most active first."""
    query = _sums(days, User.username).join(User, User.id == TABLE.c.user_id).group_by(User.id, User.username)
    rows = session.execute(query.order_by(_tokens().desc(), User.username).limit(limit))
    return [OfUser(username=row[-1], **_figures(row)) for row in rows]


def active_users(session: Session, days: Range) -> int:
    """How many used anything."""
    query = select(func.count(TABLE.c.user_id.distinct())).where(TABLE.c.day.between(days.first, days.last))
    return session.scalar(query) or 0


def accounts(session: Session) -> int:
    """How many may sign in."""
    return session.scalar(select(func.count()).select_from(User).where(User.is_active)) or 0


def stored(session: Session) -> tuple[int, int]:
    """The number of files, and their bytes."""
    count, size = session.execute(select(func.count(), func.sum(File.size_bytes))).one()
    return int(count), int(size or 0)


def _tokens() -> Any:
    return func.sum(TABLE.c.prompt_tokens + TABLE.c.completion_tokens)


def _sums(days: Range, *keys: Any) -> Select[Any]:
    """The figures, then `keys`."""
    query = select(*(func.sum(TABLE.c[name]) for name in (*COUNTS, "cost")), *keys)
    query = query.where(TABLE.c.day.between(days.first, days.last))
    return query if days.user_id is None else query.where(TABLE.c.user_id == days.user_id)


def _figures(row: Sequence[Any]) -> dict[str, Any]:
    """PostgreSQL sums big integers to decimals; no rows at all sum to NULL."""
    counts = {name: int(value or 0) for name, value in zip(COUNTS, row, strict=False)}
    cost = row[len(COUNTS)]
    return {**counts, "cost": None if cost is None else round(float(cost), COST_DIGITS)}
