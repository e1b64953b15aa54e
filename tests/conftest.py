"""Databases, the service as a process, and a fake model server, for all tests."""

import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from app.db.migrations import migrate
from app.db.session import Database
from tests import postgres as pg
from tests.fakes.upstream import Upstream
from tests.service import Service

NUMBERS = count(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background: every child would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
Serve = Callable[..., Service]


@pytest.fixture(scope="session")
def postgres() -> Iterator[pg.Postgres]:
    """One PostgreSQL server for all tests, started when the first one asks."""
    with pg.server() as server:
        yield server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "rows.db"
    pg.run(migrate(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def _postgres_template(postgres: pg.Postgres) -> str:
    postgres.execute("CREATE DATABASE migrated")
    pg.run(migrate(postgres.url("migrated")))
    return "migrated"


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite database."""
    path = tmp_path / "rows.db"
    shutil.copy(_sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture
def postgres_url(postgres: pg.Postgres, _postgres_template: str) -> Iterator[str]:
    """A migrated, empty PostgreSQL database."""
    name = f"test_{next(NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {_postgres_template}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_postgres_url(postgres: pg.Postgres) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    name = f"test_{next(NUMBERS)}"
    postgres.execute(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database: the test runs once on SQLite and once on PostgreSQL."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without tables, once on SQLite and once on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/rows.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The rows, migrated and empty: the test runs once on SQLite and once on PostgreSQL."""
    database = Database(database_url)
    yield database
    await database.aclose()


@pytest.fixture
async def sqlite_db(sqlite_url: str) -> AsyncIterator[Database]:
    """The rows on SQLite alone, for tests whose subject is not the database."""
    database = Database(sqlite_url)
    yield database
    await database.aclose()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(NAME="value", ...)` starts a service with these settings; all are ended after the test."""
    started: list[Service] = []

    def start(**env: str) -> Service:
        folder = tmp_path / f"service{len(started)}"
        folder.mkdir()
        started.append(Service(folder, env))
        return started[-1]

    yield start
    for service in started:
        service.kill()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A fake OpenAI-compatible server in a thread; the model's name says how it behaves."""
    with Upstream() as server:
        yield server
