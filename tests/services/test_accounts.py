"""Accounts: who may sign in, how long a sign-in lives, and what ends it at once."""

import asyncio
import time
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, text, update

from app.core.enums import Role
from app.core.errors import Conflict, Forbidden, NotAuthenticated
from app.crud import users
from app.db.models import User
from app.db.session import Database
from app.services.accounts import Accounts, Tokens
from tests.services.signing_in import PASSWORD, is_live, login, make, register


@pytest.fixture
def accounts(sqlite_db: Database, tmp_path: Path) -> Accounts:
    return make(sqlite_db, tmp_path, rate_limit_enabled=False)


@pytest.fixture
def on_both(db: Database, tmp_path: Path) -> Accounts:
    return make(db, tmp_path, rate_limit_enabled=False)


async def test_sign_in_names_its_user(on_both: Accounts) -> None:
    user = await register(on_both, "Ann")
    tokens = await login(on_both, "aNN")
    assert tokens.expires_in_s == 30 * 60
    sign_in = await on_both.authenticate(tokens.access)
    assert (sign_in.user_id, sign_in.username, sign_in.role) == (user.id, "Ann", Role.USER)
    assert (await on_both.user(user.id)).username == "Ann"


async def test_first_account_is_no_administrators(on_both: Accounts) -> None:
    assert (await register(on_both)).role == Role.USER
    assert not await on_both.has_admin()


async def test_name_can_be_taken_once(on_both: Accounts) -> None:
    await register(on_both, "ann")
    with pytest.raises(Conflict, match="'ANN' is taken"):
        await register(on_both, "ANN")
    outcomes = await asyncio.gather(*(register(on_both, "bob") for _ in range(4)), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Conflict", "Conflict", "User"]


async def test_closed_registration(sqlite_db: Database, tmp_path: Path) -> None:
    accounts = make(sqlite_db, tmp_path, registration="closed")
    with pytest.raises(Forbidden, match="ask an administrator"):
        await register(accounts)
    assert await accounts.create(username="ann", email=None, password=PASSWORD, role=Role.USER)
    assert await login(accounts)


async def test_wrong_password_and_unknown_user_are_told_the_same(accounts: Accounts, sqlite_db: Database) -> None:
    await register(accounts, "ann")
    await register(accounts, "barred")
    await sqlite_db.write(lambda s: s.execute(update(User).where(User.username == "barred").values(is_active=False)))
    said = set()
    for name, password in (("ann", "wrong"), ("ann", ""), ("nobody", PASSWORD), ("barred", PASSWORD), ("\u0131", "x")):
        with pytest.raises(NotAuthenticated) as error:
            await login(accounts, name, password)
        said.add(error.value.message)
    assert said == {"the username or the password is wrong"}


async def test_unknown_user_costs_what_a_wrong_password_costs(accounts: Accounts) -> None:
    await register(accounts)
    cost = {}
    for name in ("ann", "nobody"):
        began = time.process_time()
        for _ in range(5):
            with pytest.raises(NotAuthenticated):
                await login(accounts, name, "wrong")
        cost[name] = time.process_time() - began
    assert cost["ann"] / 2 < cost["nobody"] < cost["ann"] * 2


async def test_refresh_token_works_once_and_a_second_use_ends_the_sign_in_at_once(on_both: Accounts) -> None:
    await register(on_both)
    first = await login(on_both)
    second = await on_both.refresh(first.refresh)
    assert await is_live(on_both, first)
    assert await is_live(on_both, second)
    with pytest.raises(NotAuthenticated, match="used twice"):
        await on_both.refresh(first.refresh)
    assert not await is_live(on_both, first)
    assert not await is_live(on_both, second)
    with pytest.raises(NotAuthenticated, match="sign in again"):
        await on_both.refresh(second.refresh)


async def test_reuse_ends_that_sign_in_alone(accounts: Accounts) -> None:
    await register(accounts)
    stolen, other = await login(accounts), await login(accounts)
    await accounts.refresh(stolen.refresh)
    with pytest.raises(NotAuthenticated):
        await accounts.refresh(stolen.refresh)
    assert await is_live(accounts, other)
    assert await accounts.refresh(other.refresh)


async def test_refresh_at_the_same_moment_gives_one_pair_at_most(on_both: Accounts) -> None:
    await register(on_both)
    tokens = await login(on_both)
    outcomes = await asyncio.gather(*(on_both.refresh(tokens.refresh) for _ in range(5)), return_exceptions=True)
    pairs = [outcome for outcome in outcomes if isinstance(outcome, Tokens)]
    assert len(pairs) == 1
    assert sum(isinstance(outcome, NotAuthenticated) for outcome in outcomes) == 4
    assert not await is_live(on_both, pairs[0])


@pytest.mark.parametrize("token", ["", "x", "\0", "ä" * 100])
async def test_refresh_token_that_never_was(accounts: Accounts, token: str) -> None:
    with pytest.raises(NotAuthenticated):
        await accounts.refresh(token)
    await accounts.logout(token)


async def test_logout_ends_the_access_token_at_once(on_both: Accounts) -> None:
    await register(on_both)
    tokens, other = await login(on_both), await login(on_both)
    assert await is_live(on_both, tokens)
    await on_both.logout(tokens.refresh)
    assert not await is_live(on_both, tokens)
    assert await is_live(on_both, other)
    with pytest.raises(NotAuthenticated):
        await on_both.refresh(tokens.refresh)
    await on_both.logout(tokens.refresh)


async def test_logout_beside_requests_lets_none_of_them_keep_the_sign_in_alive(accounts: Accounts) -> None:
    """A request that read the row before the logout must not remember it after."""
    await register(accounts)
    for _ in range(20):
        tokens = await login(accounts)
        await asyncio.gather(*(is_live(accounts, tokens) for _ in range(5)), accounts.logout(tokens.refresh))
        assert not await is_live(accounts, tokens)


async def test_replica_sees_the_logout_at_another_one(postgres_url: str, tmp_path: Path) -> None:
    here, there = Database(postgres_url), Database(postgres_url)
    one, other = make(here, tmp_path), make(there, tmp_path)
    await register(one)
    tokens = await login(one)
    assert await is_live(other, tokens)
    await one.logout(tokens.refresh)
    assert not await is_live(other, tokens)
    await here.aclose()
    await there.aclose()


async def test_user_who_is_gone_is_signed_in_no_more(on_both: Accounts, db: Database, tmp_path: Path) -> None:
    user = await register(on_both)
    tokens = await login(on_both)
    await db.write(lambda s: s.execute(delete(User)))
    assert not await is_live(make(db, tmp_path), tokens)
    with pytest.raises(NotAuthenticated):
        await on_both.user(user.id)
    with pytest.raises(NotAuthenticated):
        await on_both.refresh(tokens.refresh)


async def test_generated_key_outlives_the_process(sqlite_db: Database, tmp_path: Path) -> None:
    first = make(sqlite_db, tmp_path, jwt_secret_key=None)
    await register(first)
    tokens = await login(first)
    assert await is_live(make(sqlite_db, tmp_path, jwt_secret_key=None), tokens)
    (tmp_path / "jwt.key").unlink()
    assert not await is_live(make(sqlite_db, tmp_path, jwt_secret_key=None), tokens)


async def test_admin_is_made_once_also_by_many_at_the_same_moment(db: Database, tmp_path: Path) -> None:
    accounts = make(db, tmp_path)
    ensure = partial(accounts.ensure_admin, username="root", password=PASSWORD)
    assert sorted(await asyncio.gather(*(ensure() for _ in range(4)))) == [False, False, False, True]
    assert await accounts.has_admin()
    sign_in = await accounts.authenticate((await login(accounts, "root")).access)
    assert sign_in.role == Role.ADMIN


async def test_admin_that_another_replica_makes_at_this_moment(postgres_url: str, tmp_path: Path) -> None:
    here, there = Database(postgres_url), Database(postgres_url)
    accounts = make(here, tmp_path)
    waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    async with there.begin() as session:
        await session.run_sync(partial(users.ensure_admin, username="root", password_hash="theirs"))
        await session.flush()
        ours = asyncio.create_task(accounts.ensure_admin(username="root", password=PASSWORD))
        for _ in range(3000):
            if await here.query(lambda s: s.scalar(waiting)):
                break
            await asyncio.sleep(0.01)
    assert await ours is False
    admin = await here.query(partial(users.by_username, username="root"))
    assert admin is not None
    assert admin.password_hash == "theirs"
    await here.aclose()
    await there.aclose()


async def test_new_password_replaces_the_old_one(accounts: Accounts) -> None:
    await register(accounts)
    tokens = await login(accounts)
    assert await is_live(accounts, tokens)
    assert await accounts.reset_password(username="ann", password="battery staple")
    assert not await accounts.reset_password(username="nobody", password="battery staple")
    assert not await is_live(accounts, tokens)
    with pytest.raises(NotAuthenticated):
        await login(accounts)
    with pytest.raises(NotAuthenticated):
        await accounts.refresh(tokens.refresh)
    assert await login(accounts, password="battery staple")


async def test_user_that_never_was(accounts: Accounts) -> None:
    with pytest.raises(NotAuthenticated, match="no longer exists"):
        await accounts.user(UUID(int=1))
