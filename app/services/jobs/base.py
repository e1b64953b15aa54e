"""What a job is: a name in a table, a payload of strings, and a function that may be run again after a crash."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Final, TypeVar, cast

from app.core.registry import Registry
from app.core.settings import StorageSettings

S = TypeVar("S")
Payload = Mapping[str, str]


class JobState(StrEnum):
    """`lost`: its process died so often while it ran that it is not started again."""

    LIVE = "live"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"


class Context:
    """The services that jobs may ask for, by their class. Built once, where all long-lived objects are."""

    def __init__(self, *services: object) -> None:
        self._services = {type(service): service for service in services}

    def get(self, kind: type[S]) -> S:
        """Raises LookupError, which names the class and those that are there."""
        try:
            return cast(S, self._services[kind])
        except KeyError:
            known = ", ".join(sorted(k.__name__ for k in self._services))
            raise LookupError(f"no {kind.__name__} was given to the jobs; known: {known}") from None


Job = Callable[[Context, Payload], Awaitable[None]]
"""Runs at least once: what it did before a crash must be harmless to do again. Cancelled by asyncio's cancellation."""

JOBS: Registry[Job] = Registry(
    "job", {"ingest": "app.services.ingestion:ingest", "rebuild": "app.services.rebuilding:rebuild"}
)
# They run for hours, so they take no turn from others; each sees to it by itself that it runs once.
LONG: Final = frozenset({"rebuild"})


def jobs_url(settings: StorageSettings) -> str:
    """Where the jobs' own tables are: a file of their own beside SQLite rows, else the rows' PostgreSQL."""
    url = settings.rows_url
    return f"sqlite:///{settings.data_dir / 'jobs.db'}" if url.startswith("sqlite") else url
