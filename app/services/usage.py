"""What was used of which model: by a user, and by all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Final
from uuid import UUID

from app.core.errors import ValidationFailed
from app.crud import usage
from app.crud.usage import Figures, OfDay, OfModel, OfUser, Range
from app.db.base import now
from app.db.session import Database, Session

DEFAULT_DAYS: Final = 30
MAX_DAYS: Final = 366
MAX_MODELS: Final = 200
MAX_DAY_ROWS: Final = 5000
MAX_USERS: Final = 50


@dataclass(frozen=True, slots=True)
class Report:
    """`is_cut`: there are more models or days than are listed; `totals` are of all."""

    days_of: Range
    totals: Figures
    models: Sequence[OfModel]
    days: Sequence[OfDay]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class SystemReport:
    """Besides: `users` who used anything, `accounts` that may sign in, the users with most tokens, and the storage."""

    usage: Report
    users: int
    accounts: int
    per_user: Sequence[OfUser]
    files: int
    stored_bytes: int


def day_range(first: date | None, last: date | None) -> Range:
    """The last 30 days, unless one is said. Raises ValidationFailed."""
    last = last or now().date()
    first = first or date.fromordinal(max(1, last.toordinal() - DEFAULT_DAYS + 1))
    if first > last:
        raise ValidationFailed(f"from={first} is after to={last}; give the earlier day first")
    span = (last - first).days + 1
    if span > MAX_DAYS:
        raise ValidationFailed(f"from={first} to={last} are {span} days and {MAX_DAYS} are allowed; ask for fewer")
    return Range(first, last)


class UsageFigures:
    """Reads them. They are written where an answer is stored."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_user(self, user_id: UUID, days: Range) -> Report:
        async with self._db.read() as session:
            return await session.run_sync(partial(_report, days=Range(days.first, days.last, user_id)))

    async def of_system(self, days: Range) -> SystemReport:
        async with self._db.read() as session:
            return await session.run_sync(partial(_system_report, days=days))


def _report(session: Session, days: Range) -> Report:
    models = usage.by_model(session, days, MAX_MODELS + 1)
    by_day = usage.by_day(session, days, MAX_DAY_ROWS + 1)
    return Report(
        days_of=days,
        totals=usage.totals(session, days),
        models=models[:MAX_MODELS],
        days=by_day[-MAX_DAY_ROWS:],
        is_cut=len(models) > MAX_MODELS or len(by_day) > MAX_DAY_ROWS,
    )


def _system_report(session: Session, days: Range) -> SystemReport:
    files, stored_bytes = usage.stored(session)
    return SystemReport(
        usage=_report(session, days),
        users=usage.active_users(session, days),
        accounts=usage.accounts(session),
        per_user=usage.by_user(session, days, MAX_USERS),
        files=files,
        stored_bytes=stored_bytes,
    )
