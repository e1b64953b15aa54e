"""Usage figures: messages, tokens and cost by model and day."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator

from app.api.deps import Administrator, CurrentUser, UsageDep
from app.crud.usage import Range
from app.schemas.stats import SystemStats, UserStats
from app.services.usage import Report, day_range

router = APIRouter(prefix="/stats", tags=["stats"])

DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def _day(value: object) -> object:
    """ISO dates alone: pydantic takes seconds since 1970 as well."""
    if isinstance(value, str) and DAY.fullmatch(value):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise ValueError("use a date such as 2026-01-31")


Day = Annotated[date, BeforeValidator(_day)]


async def days(
    first: Annotated[Day | None, Query(alias="from", description="the first day, in UTC; 30 days by default")] = None,
    last: Annotated[Day | None, Query(alias="to", description="the last day, in UTC; today by default")] = None,
) -> Range:
    return day_range(first, last)


Days = Annotated[Range, Depends(days)]


@router.get("/user", response_model=UserStats)
async def of_user(user: CurrentUser, usage: UsageDep, days: Days) -> Response:
    """What I used: in all, by model, and by day. At most 366 days. It stays when conversations are deleted."""
    return _answer(_fields(await usage.of_user(user.user_id, days)))


@router.get("/system", response_model=SystemStats)
async def of_system(_: Administrator, usage: UsageDep, days: Days) -> Response:
    """What all users used, who used most, and how much is stored. For administrators."""
    report = await usage.of_system(days)
    return _answer(
        {
            **_fields(report.usage),
            "users": report.users,
            "accounts": report.accounts,
            "per_user": report.per_user,
            "storage": {"files": report.files, "bytes": report.stored_bytes},
        }
    )


def _fields(report: Report) -> dict[str, object]:
    return {
        "from": report.days_of.first,
        "to": report.days_of.last,
        "totals": report.totals,
        "models": report.models,
        "days": report.days,
        "truncated": report.is_cut,
    }


def _answer(body: dict[str, object]) -> Response:
    """Encoded directly: there may be thousands of rows."""
    return Response(msgspec.json.encode(body), media_type="application/json")
