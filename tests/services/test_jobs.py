"""Jobs: started at once, once per id, cancelled in bounded time, taken over after a restart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.core.registry import Registry
from app.db.session import Database
from app.services.jobs import JOBS, Context, Job, Jobs, JobState
from app.services.jobs.base import Payload

TABLE: Registry[Job] = Registry(
    "job", {name: f"tests.services.test_jobs:{name}" for name in ("note", "wait", "fail", "crowd")}
)
SOON_S = 20


class Board:
    """What the jobs of a test did, and what they wait for."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.stopped: list[str] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.now = self.most = 0


async def note(context: Context, payload: Payload) -> None:
    context.get(Board).notes.append(payload["word"])


async def wait(context: Context, payload: Payload) -> None:
    board = context.get(Board)
    board.begun.set()
    try:
        await board.go.wait()
    except asyncio.CancelledError:
        board.stopped.append(payload["word"])
        raise
    board.notes.append(payload["word"])


async def fail(context: Context, payload: Payload) -> None:
    raise RuntimeError(payload["word"])


async def crowd(context: Context, payload: Payload) -> None:
    board = context.get(Board)
    board.now += 1
    board.most = max(board.most, board.now)
    await asyncio.sleep(0)
    await board.go.wait()
    board.now -= 1
    board.notes.append(payload["word"])


@asynccontextmanager
async def running(folder: Path, db: Database, board: Board, *, alone: bool = True) -> AsyncIterator[Jobs]:
    jobs = Jobs(f"sqlite:///{folder}/jobs.db", db=db, replica="one", alone=alone, table=TABLE)
    await jobs.start(Context(board))
    try:
        yield jobs
    finally:
        await jobs.aclose()


async def until(happened: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(SOON_S):
        while not await happened():  # noqa: ASYNC110 - the runtime tells nobody
            await asyncio.sleep(0.02)


async def until_state(jobs: Jobs, job_id: str, state: JobState) -> None:
    async def reached() -> bool:
        return (await jobs.states([job_id])).get(job_id) is state

    await until(reached)


async def test_a_job_runs_once_per_id(tmp_path: Path, sqlite_db: Database) -> None:
    board = Board()
    async with running(tmp_path, sqlite_db, board) as jobs:
        await jobs.enqueue("note", "a", {"word": "first"})
        await until_state(jobs, "a", JobState.DONE)
        await jobs.enqueue("note", "a", {"word": "again"})
        await jobs.enqueue("note", "b", {"word": "other"})
        await until_state(jobs, "b", JobState.DONE)
    assert board.notes == ["first", "other"]


async def test_a_job_that_raises_is_failed_and_an_unknown_id_has_no_state(tmp_path: Path, sqlite_db: Database) -> None:
    async with running(tmp_path, sqlite_db, Board()) as jobs:
        await jobs.enqueue("fail", "a", {"word": "broken"})
        await until_state(jobs, "a", JobState.FAILED)
        assert await jobs.states(["a", "nobody"]) == {"a": JobState.FAILED}


async def test_cancel_stops_a_running_job_and_it_never_starts_again(tmp_path: Path, sqlite_db: Database) -> None:
    board = Board()
    async with running(tmp_path, sqlite_db, board) as jobs:
        await jobs.enqueue("wait", "a", {"word": "long"})
        await board.begun.wait()
        assert await jobs.cancel("a")
        assert board.stopped == ["long"]
        assert await jobs.states(["a"]) == {"a": JobState.CANCELLED}
        assert await jobs.cancel("nobody")
    board.go.set()
    async with running(tmp_path, sqlite_db, board) as jobs:
        await jobs.enqueue("note", "b", {"word": "after"})
        await until_state(jobs, "b", JobState.DONE)
        assert await jobs.states(["a"]) == {"a": JobState.CANCELLED}
    assert board.notes == ["after"]


@pytest.mark.parametrize("alone", [True, False])
async def test_a_restart_takes_over_what_was_unfinished(tmp_path: Path, sqlite_db: Database, alone: bool) -> None:
    board = Board()
    async with running(tmp_path, sqlite_db, board, alone=True) as jobs:
        await jobs.enqueue("wait", "a", {"word": "resumed"})
        await board.begun.wait()
    assert (board.notes, board.stopped) == ([], ["resumed"])
    board.go.set()
    async with running(tmp_path, sqlite_db, board, alone=alone) as jobs:
        await until_state(jobs, "a", JobState.DONE)
    assert board.notes == ["resumed"]


async def test_no_more_jobs_run_at_a_time_than_allowed(tmp_path: Path, sqlite_db: Database) -> None:
    board = Board()
    async with running(tmp_path, sqlite_db, board) as jobs:
        for n in range(10):
            await jobs.enqueue("crowd", f"c{n}", {"word": str(n)})
        board.go.set()
        for n in range(10):
            await until_state(jobs, f"c{n}", JobState.DONE)
    assert board.most == 4
    assert sorted(board.notes) == list("0123456789")


async def test_jobs_on_postgresql(postgres_url: str) -> None:
    db = Database(postgres_url)
    board = Board()
    for alone in (False, False):
        jobs = Jobs(postgres_url, db=db, replica="one", alone=alone, table=TABLE)
        await jobs.start(Context(board))
        await jobs.enqueue("note", "a", {"word": "once"})
        await until_state(jobs, "a", JobState.DONE)
        await jobs.aclose()
    await db.aclose()
    assert board.notes == ["once"]


async def test_closing_before_the_launch_launches_nothing(tmp_path: Path, sqlite_db: Database) -> None:
    async with running(tmp_path, sqlite_db, Board()):
        pass
    assert not (tmp_path / "jobs.db").exists()


async def test_a_context_names_what_is_missing() -> None:
    with pytest.raises(LookupError, match=r"no Jobs was given .* known: Board"):
        Context(Board()).get(Jobs)


async def test_every_job_of_the_table_resolves() -> None:
    assert all(callable(JOBS.get(name)) for name in JOBS.names())
