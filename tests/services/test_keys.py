"""API keys: what they are compared by, when they stop working, and what their use costs."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import delete, select, text, update

from app.core.enums import Role, Scope
from app.core.errors import Conflict, NotAuthenticated, NotFound
from app.crud import api_keys
from app.crud.api_keys import NewKey
from app.db.base import now
from app.db.models import ApiKey, User
from app.db.session import Database
from app.services.accounts import Accounts
from app.services.keys import Keys, MadeKey
from tests.crud.rows import make_user
from tests.services.signing_in import PASSWORD, SECRET, login, make, register


@pytest.fixture
async def keys(db: Database) -> AsyncIterator[Keys]:
    service = Keys(db)
    yield service
    await service.aclose()


async def create(keys: Keys, user_id: UUID, name: str = "a key", *scopes: Scope) -> MadeKey:
    return await keys.create(user_id, name=name, scopes=scopes or None, expires_in_days=None)


async def refusal(keys: Keys | Accounts, key: str) -> str:
    with pytest.raises(NotAuthenticated) as refused:
        await keys.authenticate(key)
    return refused.value.message


async def change(db: Database, **values: object) -> None:
    await db.write(lambda s: s.execute(update(ApiKey).values(**values)))


async def row(db: Database, made: MadeKey) -> ApiKey:
    return await db.query(lambda s: s.get_one(ApiKey, made.row.id))


async def test_key_names_its_user_and_scopes(db: Database, keys: Keys) -> None:
    user_id = await make_user(db, "ann")
    made = await create(keys, user_id, "a key", Scope.STATS, Scope.CHAT, Scope.CHAT)
    sign_in = await keys.authenticate(made.text)
    assert (sign_in.user_id, sign_in.username, sign_in.role) == (user_id, "ann", Role.USER)
    assert sign_in.scopes == {Scope.CHAT, Scope.STATS}
    assert (await keys.authenticate((await create(keys, user_id, "plain")).text)).scopes == {Scope.OPENAI}


async def test_secret_is_stored_as_its_digest_alone(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    stored = await db.query(lambda s: s.execute(text("SELECT * FROM api_keys")).one())
    secret = made.text.split("_", 2)[2]
    assert len(secret) >= 43
    assert secret not in str(stored)


async def test_revoked_key_is_refused_at_once(db: Database, keys: Keys) -> None:
    user_id = await make_user(db)
    made, other = await create(keys, user_id), await create(keys, user_id, "other")
    await keys.authenticate(made.text)
    await keys.revoke(user_id, made.row.id)
    assert "was revoked" in await refusal(keys, made.text)
    assert await keys.authenticate(other.text)
    for owner, key_id in ((user_id, made.row.id), (await make_user(db), other.row.id), (user_id, UUID(int=1))):
        with pytest.raises(NotFound):
            await keys.revoke(owner, key_id)


async def test_revocation_beside_requests_lets_none_of_them_keep_the_key_alive(db: Database, keys: Keys) -> None:
    user_id = await make_user(db)
    for number in range(20):
        made = await create(keys, user_id, f"key {number}")
        uses = (keys.authenticate(made.text) for _ in range(5))
        await asyncio.gather(*uses, keys.revoke(user_id, made.row.id), return_exceptions=True)
        assert "was revoked" in await refusal(keys, made.text)


async def test_replica_sees_the_revocation_at_another_one(postgres_url: str) -> None:
    here, there = Database(postgres_url), Database(postgres_url)
    one, other = Keys(here), Keys(there)
    user_id = await make_user(here)
    made = await create(one, user_id)
    assert await other.authenticate(made.text)
    await one.revoke(user_id, made.row.id)
    assert "was revoked" in await refusal(other, made.text)
    for service in (one, other, here, there):
        await service.aclose()


async def test_key_expires_also_while_it_is_remembered(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    expires_at = now() + timedelta(seconds=0.5)
    await change(db, expires_at=expires_at)
    assert await keys.authenticate(made.text)
    await asyncio.sleep((expires_at - now()).total_seconds() + 0.01)
    assert "expired at" in await refusal(keys, made.text)


async def test_expired_key_gives_its_name_and_its_place_away(db: Database, keys: Keys) -> None:
    user_id = await make_user(db)
    for number in range(api_keys.MAX_LIVE):
        await create(keys, user_id, f"key {number}")
    with pytest.raises(Conflict, match="50 are allowed"):
        await create(keys, user_id, "one more")
    with pytest.raises(Conflict, match="is named 'key 3'"):
        await create(keys, user_id, "key 3")
    await db.write(lambda s: s.execute(update(ApiKey).where(ApiKey.name == "key 3").values(expires_at=now())))
    names = [key.name for key in await keys.of_user(user_id)]
    assert (names[0], names[-1], len(names)) == ("key 49", "key 3", 50)
    assert await create(keys, user_id, "key 3")
    assert len(await keys.of_user(user_id)) == 50


async def test_only_so_many_are_made_at_the_same_moment(db: Database, keys: Keys) -> None:
    user_id = await make_user(db)
    for number in range(api_keys.MAX_LIVE - 2):
        await create(keys, user_id, f"key {number}")
    names = ["same"] * 3 + [f"more {number}" for number in range(5)]
    outcomes = await asyncio.gather(*(create(keys, user_id, name) for name in names), return_exceptions=True)
    assert sum(isinstance(outcome, MadeKey) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 6


async def test_barred_users_key_is_refused(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    await db.write(lambda s: s.execute(update(User).values(is_active=False)))
    assert "is barred" in await refusal(keys, made.text)


async def test_key_goes_with_its_user(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    await db.write(lambda s: s.execute(delete(User)))
    assert "there is no such API key" in await refusal(keys, made.text)
    assert await db.query(lambda s: s.scalars(select(ApiKey.id)).all()) == []


async def test_forged_secret_is_refused_before_anything_is_told_of_the_key(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    await change(db, revoked_at=now())
    forged = made.text[:-1] + ("a" if made.text[-1] != "a" else "b")
    assert "there is no such API key" in await refusal(keys, forged)


async def test_use_is_noted_once_a_minute_and_not_on_the_requests_own_path(db: Database, keys: Keys) -> None:
    made = await create(keys, await make_user(db))
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(keys.authenticate(made.text))
    await keys.aclose()
    first = (await row(db, made)).last_used_at
    assert first is not None
    await keys.authenticate(made.text)
    assert keys._noting is None
    other = Keys(db)  # another process
    await other.authenticate(made.text)
    for service in (keys, other):
        await service.aclose()
    assert (await row(db, made)).last_used_at == first
    later = first + timedelta(minutes=1, seconds=1)
    await db.write(partial(api_keys.note_uses, uses={made.row.id: later, UUID(int=1): later}))
    assert (await row(db, made)).last_used_at == later


async def test_request_does_not_wait_for_the_note_of_its_use(sqlite_db: Database) -> None:
    keys = Keys(sqlite_db)
    made = await create(keys, await make_user(sqlite_db))
    async with sqlite_db.begin():  # nobody else can write now
        assert await keys.authenticate(made.text)
        assert (await row(sqlite_db, made)).last_used_at is None
    await keys.aclose()
    assert (await row(sqlite_db, made)).last_used_at is not None


async def test_use_that_cannot_be_noted_is_no_failure(sqlite_db: Database) -> None:
    keys = Keys(sqlite_db)
    made = await create(keys, await make_user(sqlite_db))
    broken = "CREATE TRIGGER broken BEFORE UPDATE ON api_keys BEGIN SELECT RAISE(ABORT, 'broken'); END"
    await sqlite_db.write(lambda s: s.execute(text(broken)))
    assert await keys.authenticate(made.text)
    await keys.aclose()
    assert await keys.authenticate(made.text)


async def test_new_password_revokes_the_keys_and_a_logout_does_not(db: Database, tmp_path: Path) -> None:
    accounts = make(db, tmp_path)
    keys = accounts._keys
    ann, bob = await register(accounts, "ann"), await register(accounts, "bob")
    tokens = await login(accounts)
    anns, bobs = await create(keys, ann.id), await create(keys, bob.id)
    await accounts.logout(tokens.refresh)
    assert (await accounts.authenticate(anns.text)).user_id == ann.id
    assert await accounts.reset_password(username="ann", password=PASSWORD)
    assert "was revoked" in await refusal(accounts, anns.text)
    assert (await accounts.authenticate(bobs.text)).user_id == bob.id
    assert await accounts.ensure_admin(username="bob", password=PASSWORD)
    assert "was revoked" in await refusal(accounts, bobs.text)
    await keys.aclose()


async def test_key_and_token_are_told_apart_by_their_beginning(sqlite_db: Database, tmp_path: Path) -> None:
    accounts = make(sqlite_db, tmp_path)
    await register(accounts)
    token = (await login(accounts)).access
    assert (await accounts.authenticate(token)).scopes is None
    for forged in (f"sk_{token}", f"SK_{token}", token.replace("ey", "sk_", 1), f"sk_{SECRET}", "sk_"):
        await refusal(accounts, forged)


async def test_scope_that_a_newer_version_wrote_gives_nothing(db: Database, keys: Keys) -> None:
    user_id = await make_user(db)
    made = await create(keys, user_id)
    await change(db, scopes=["everything", "chat"])
    assert (await keys.authenticate(made.text)).scopes == {Scope.CHAT}


async def test_name_cannot_be_taken_behind_the_check(db: Database) -> None:
    """The index says so too."""
    user_id = await make_user(db)
    first, second = (NewKey(UUID(int=n), user_id, f"key {n}", "d", [], None) for n in (1, 2))
    for new in (first, second):
        await db.write(partial(api_keys.add, key=new))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await change(db, name="the same")
    await change(db, name="the same", revoked_at=now())
