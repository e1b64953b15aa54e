"""A PostgreSQL server of the tests' own: installed binaries, a free port, a temporary folder, no fsync."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from tests.processes import Child, free_port

T = TypeVar("T")
START_TIMEOUT_S = 60
OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


class Postgres:
    """A running server. `url(name)` is a database's address."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, name: str) -> str:
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/{name}"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        run(self._execute(statement))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host="127.0.0.1", port=self.port, user="postgres", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in a loop of its own, also while another one runs in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def binary(name: str) -> Path:
    """From PATH, else where Debian puts it, newest version first. Raises with the way out."""
    found = shutil.which(name)
    candidates = [Path(found)] if found else sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    if not candidates:
        raise FileNotFoundError(f"{name!r} of PostgreSQL is not installed: apt-get install postgresql")
    return candidates[0].resolve()


@contextmanager
def server() -> Iterator[Postgres]:
    user = "postgres" if os.geteuid() == 0 else None  # initdb refuses root
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data = folder / "data"
    port = free_port()
    try:
        if user:
            shutil.chown(folder, user, user)
        subprocess.run(
            [binary("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            user=user,
            group=user,
            extra_groups=[] if user else None,
        )
        command: list[str | Path] = [binary("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder]
        for name, value in OPTIONS.items():
            command += ["-c", f"{name}={value}"]
        child = Child(command, log=folder / "log", cwd=folder, user=user, signal_name="INT", folder=folder)
        try:
            run(_answers(child, port))
            yield Postgres(port)
        finally:
            child.end()
    finally:
        shutil.rmtree(folder)


async def _answers(child: Child, port: int) -> None:
    for _ in range(START_TIMEOUT_S * 20):
        if not child.running:
            break
        try:
            await Postgres(port)._execute("SELECT 1")
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start:\n{child.text()}")
