"""Guessing passwords is slow, for one name, one address and all at once."""

import asyncio
import time
from pathlib import Path

import pytest

from app.core.errors import NotAuthenticated, RateLimited
from app.db.session import Database
from app.services.accounts import HASHERS, MAX_WAITING, Accounts
from tests.services.signing_in import ALLOWED_FAILURES, login, make, register


@pytest.fixture
def accounts(sqlite_db: Database, tmp_path: Path) -> Accounts:
    return make(sqlite_db, tmp_path, rate_limit_enabled=False)


async def test_failures_are_slowed_down_by_name_and_address(sqlite_db: Database, tmp_path: Path) -> None:
    accounts = make(sqlite_db, tmp_path)
    await register(accounts, "ann")
    await register(accounts, "bob")
    for _ in range(ALLOWED_FAILURES):
        with pytest.raises(NotAuthenticated):
            await login(accounts, "ann", "wrong")
    for name in ("ann", "ANN"):
        with pytest.raises(RateLimited, match="wait five minutes") as error:
            await login(accounts, name)
        assert error.value.retry_after_s == 300
    assert await login(accounts, "bob")
    assert await login(accounts, "ann", address="elsewhere")


async def test_success_is_not_counted(sqlite_db: Database, tmp_path: Path) -> None:
    accounts = make(sqlite_db, tmp_path)
    await register(accounts)
    for _ in range(ALLOWED_FAILURES + 2):
        await login(accounts)


async def test_guesses_at_the_same_moment_are_counted_too(sqlite_db: Database, tmp_path: Path) -> None:
    accounts = make(sqlite_db, tmp_path)
    await register(accounts)
    guesses = (login(accounts, "ann", f"guess {number}") for number in range(60))
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    tried = [outcome for outcome in outcomes if isinstance(outcome, NotAuthenticated)]
    assert ALLOWED_FAILURES <= len(tried) < ALLOWED_FAILURES + HASHERS
    assert sum(isinstance(outcome, RateLimited) for outcome in outcomes) == 60 - len(tried)


async def test_without_limits_nobody_is_slowed_down(accounts: Accounts) -> None:
    await register(accounts)
    for _ in range(ALLOWED_FAILURES + 2):
        with pytest.raises(NotAuthenticated):
            await login(accounts, "ann", "wrong")
    assert await login(accounts)


async def test_too_many_at_once_are_refused_and_the_rest_go_on(accounts: Accounts) -> None:
    await register(accounts)
    tasks = [asyncio.create_task(login(accounts)) for _ in range(MAX_WAITING + 20)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    refused = [task for task in tasks if task.done() and isinstance(task.exception(), RateLimited)]
    assert 0 < len(refused) <= 20
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert await login(accounts)


async def test_loop_goes_on_while_passwords_are_hashed(accounts: Accounts) -> None:
    """A hash takes about 20 ms of CPU: no turn of the loop's own thread may."""
    task = asyncio.create_task(register(accounts))
    longest, last = 0.0, time.thread_time()
    while not task.done():
        await asyncio.sleep(0)
        longest, last = max(longest, time.thread_time() - last), time.thread_time()
    assert 0 < longest < 0.01
