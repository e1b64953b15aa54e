"""The one import of DBOS (slow: 0.35 s of CPU), a durable record of jobs in SQLite or PostgreSQL.

Every method blocks: call them in a thread. DBOS is one per process, and runs workflows in a loop of its own.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, error

from app.services.jobs.base import JobState

Run = Callable[[str, str, dict[str, str]], Awaitable[None]]

# The default is a hash of the source, which would strand every unfinished job at an update.
VERSION = "1"
MAX_RECOVERIES = 20
STATES = {
    "PENDING": JobState.LIVE,
    "ENQUEUED": JobState.LIVE,
    "DELAYED": JobState.LIVE,
    "SUCCESS": JobState.DONE,
    "ERROR": JobState.FAILED,
    "CANCELLED": JobState.CANCELLED,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": JobState.LOST,
}
FINISHED = [name for name, state in STATES.items() if state is not JobState.LIVE]


class DurableJobs:
    """Starts `run(job_id, name, payload)` for each job, at once and in this process; again after a crash."""

    def __init__(self, url: str, executor_id: str, run: Run) -> None:
        config: DBOSConfig = {
            "name": "llama-service",
            "system_database_url": _prepared(url),
            "application_version": VERSION,
            "executor_id": executor_id,
            "serializer": DBOSPortableJSONSerializer(),
            "log_level": "ERROR",
            "enable_otlp": False,
            # Idle polling costs CPU; the listener's interval is also how long closing takes.
            "scheduler_polling_interval_sec": 3600.0,
            "notification_listener_polling_interval_sec": 0.25,
        }
        self._dbos = DBOS(config=config)

        @DBOS.workflow(name="job", max_recovery_attempts=MAX_RECOVERIES)
        async def job(name: str, payload: dict[str, str]) -> None:
            await run(DBOS.workflow_id or "", name, payload)

        self._job = job
        self._executor_id = executor_id
        DBOS.launch()

    def start(self, job_id: str, name: str, payload: dict[str, str]) -> None:
        """A job that exists already is not started again."""
        # Started in the runtime's loop: the blocking call would hold a thread for as long as the job runs, and
        # would record a job that the shutdown cancelled as failed.
        loop = self._dbos._background_event_loop.target_loop()  # noqa: SLF001
        if loop is None:
            raise RuntimeError("jobs are shutting down")
        asyncio.run_coroutine_threadsafe(self._start(job_id, name, payload), loop).result()

    async def _start(self, job_id: str, name: str, payload: dict[str, str]) -> None:
        with SetWorkflowID(job_id):
            await DBOS.start_workflow_async(self._job, name, payload)

    def cancel(self, job_id: str) -> None:
        """It will not be started again. A running one is the caller's to stop."""
        with contextlib.suppress(error.DBOSNonExistentWorkflowError):
            DBOS.cancel_workflow(job_id)

    def states(self, job_ids: Sequence[str]) -> dict[str, JobState]:
        """Unknown ids are left out."""
        rows = DBOS.list_workflows(workflow_ids=list(job_ids), load_input=False, load_output=False) if job_ids else []
        return {row.workflow_id: STATES[row.status] for row in rows}

    def take_over(self, living: Iterable[str]) -> int:
        """Start again what executors that are not living left unfinished. Returns how many."""
        pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        dead = {row.executor_id for row in pending if row.executor_id} - {*living, self._executor_id}
        return len(DBOS._recover_pending_workflows(sorted(dead))) if dead else 0  # noqa: SLF001 - its only way

    def forget(self, age: timedelta) -> None:
        """Delete the record of jobs that ended at least `age` ago."""
        until = (datetime.now(UTC) - age).isoformat()
        rows = DBOS.list_workflows(status=FINISHED, end_time=until, limit=1000, load_input=False, load_output=False)
        if rows:
            DBOS.delete_workflows([row.workflow_id for row in rows])

    def close(self) -> None:
        """Unfinished jobs stay unfinished: the next start takes them over."""
        DBOS.destroy(destroy_registry=True)


def _prepared(url: str) -> str:
    """The address as DBOS wants it. SQLite is put in WAL, which stays with the file: four times the steps."""
    for prefix in ("postgresql+asyncpg://", "postgresql://"):
        if url.startswith(prefix):
            url = url.removeprefix(prefix).replace("?ssl=", "?sslmode=").replace("&ssl=", "&sslmode=")
            return "postgresql+psycopg://" + url
    with contextlib.closing(sqlite3.connect(unquote(url.partition("///")[2]))) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return url
