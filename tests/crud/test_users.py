"""Users, sign-ins and refresh tokens, on both databases."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from app.core.enums import Role
from app.core.errors import Conflict
from app.crud import users
from app.crud.users import SignIn
from app.db.base import now
from app.db.models import AuthSession, RefreshToken, User
from app.db.session import Database, Session
from tests.crud.rows import make_user

DAY = timedelta(days=1)


async def create(db: Database, username: str, email: str | None = None) -> User:
    return await db.write(partial(users.create, username=username, email=email, password_hash="hash", role=Role.USER))


async def open_session(db: Database, user_id: UUID, token: str, expires_at: datetime | None = None) -> UUID:
    return await db.write(
        partial(users.open_session, user_id=user_id, expires_at=expires_at or now() + DAY, token_hash=token)
    )


async def live(db: Database, session_id: UUID) -> SignIn | None:
    return await db.query(partial(users.live_session, session_id=session_id))


async def rotate(db: Database, token: str, fresh: str) -> tuple[SignIn | None, bool]:
    return await db.write(partial(users.rotate_token, token_hash=token, fresh_hash=fresh))


async def test_user_is_found_by_the_name_in_any_case(db: Database) -> None:
    ann = await create(db, "Ann", "ann@example.org")
    found = await db.query(partial(users.by_username, username="aNN"))
    assert found is not None
    assert (found.id, found.username, found.email) == (ann.id, "Ann", "ann@example.org")
    assert await db.query(partial(users.by_username, username="bob")) is None


@pytest.mark.parametrize(
    ("username", "email", "field", "value"),
    [
        ("ANN", None, "username", "ANN"),
        ("other", "ann@example.org", "email", "ann@example.org"),
        ("my.email", None, "username", "my.email"),
    ],
)
async def test_conflict_names_what_is_taken(
    db: Database, username: str, email: str | None, field: str, value: str
) -> None:
    await create(db, "ann", "ann@example.org")
    await create(db, "My.Email")
    with pytest.raises(Conflict) as error:
        await create(db, username, email)
    assert error.value.details == {"field": field}
    assert repr(value) in error.value.message


async def test_two_users_may_have_no_address(db: Database) -> None:
    await create(db, "ann")
    await create(db, "bob")


async def test_sign_in_is_live_and_names_its_user(db: Database) -> None:
    user_id = await make_user(db, "ann")
    session_id = await open_session(db, user_id, "t1")
    assert await live(db, session_id) == SignIn(session_id, user_id, "ann", Role.USER)
    assert await live(db, uuid4()) is None


async def test_sign_in_that_is_over_is_not_live_and_goes_with_the_next_one(db: Database) -> None:
    user_id, other_id = await make_user(db), await make_user(db)
    old = await open_session(db, user_id, "t1", now() - DAY)
    others = await open_session(db, other_id, "t2", now() - DAY)
    assert await live(db, old) is None
    assert await rotate(db, "t1", "t9") == (None, False)
    await open_session(db, user_id, "t3")
    rows = await db.query(
        lambda s: (s.scalars(select(AuthSession.id)).all(), s.scalars(select(RefreshToken.token_hash)).all())
    )
    assert old not in rows[0]
    assert others in rows[0]
    assert sorted(rows[1]) == ["t2", "t3"]


async def test_barred_user_has_no_live_sign_in(db: Database) -> None:
    user_id = await make_user(db)
    session_id = await open_session(db, user_id, "t1")
    await db.write(lambda s: s.execute(update(User).values(is_active=False)))
    assert await live(db, session_id) is None
    assert await rotate(db, "t1", "t2") == (None, False)


async def test_token_rotates_once_and_a_second_use_ends_the_sign_in(db: Database) -> None:
    session_id = await open_session(db, await make_user(db), "t1")
    sign_in, reused = await rotate(db, "t1", "t2")
    assert sign_in is not None
    assert (sign_in.session_id, reused) == (session_id, False)
    assert (await rotate(db, "t2", "t3"))[1] is False
    sign_in, reused = await rotate(db, "t1", "t4")
    assert sign_in is not None
    assert (sign_in.session_id, reused) == (session_id, True)
    assert await live(db, session_id) is None
    assert await rotate(db, "t3", "t5") == (None, False)


async def test_token_that_is_used_twice_at_the_same_moment_wins_once(db: Database) -> None:
    session_id = await open_session(db, await make_user(db), "t1")
    outcomes = await asyncio.gather(*(rotate(db, "t1", f"fresh{i}") for i in range(4)))
    assert [reused for sign_in, reused in outcomes if sign_in is not None].count(False) == 1
    assert await live(db, session_id) is None


async def test_end_session_takes_any_token_of_the_sign_in(db: Database) -> None:
    user_id = await make_user(db)
    ended, kept = await open_session(db, user_id, "t1"), await open_session(db, user_id, "k1")
    await rotate(db, "t1", "t2")
    assert await db.write(partial(users.end_session, token_hash="t1")) == ended
    assert await live(db, ended) is None
    assert await live(db, kept) is not None
    assert await db.write(partial(users.end_session, token_hash="unknown")) is None


async def test_admin_is_made_once(db: Database) -> None:
    assert not await db.query(users.any_admin)
    assert await db.write(partial(users.ensure_admin, username="root", password_hash="one"))
    assert not await db.write(partial(users.ensure_admin, username="ROOT", password_hash="two"))
    admin = await db.query(partial(users.by_username, username="root"))
    assert admin is not None
    assert (admin.role, admin.password_hash) == (Role.ADMIN, "one")
    assert await db.query(users.any_admin)


async def test_user_who_becomes_admin_gets_the_new_password_and_loses_old_sign_ins(db: Database) -> None:
    user_id = await make_user(db, "ann")
    session_id = await open_session(db, user_id, "t1")
    assert await db.write(partial(users.ensure_admin, username="ann", password_hash="new"))
    user = await db.query(partial(users.get, user_id=user_id))
    assert user is not None
    assert (user.role, user.password_hash) == (Role.ADMIN, "new")
    assert await live(db, session_id) is None


async def test_new_password_ends_the_sign_ins_of_that_user_alone(db: Database) -> None:
    sessions = {name: await open_session(db, await make_user(db, name), name) for name in ("ann", "bob")}
    assert await db.write(partial(users.reset_password, username="Ann", password_hash="new"))
    assert not await db.write(partial(users.reset_password, username="nobody", password_hash="new"))
    assert await live(db, sessions["ann"]) is None
    assert await live(db, sessions["bob"]) is not None


async def test_barred_admin_is_no_admin(db: Database) -> None:
    await db.write(partial(users.ensure_admin, username="root", password_hash="one"))
    await db.write(lambda s: s.execute(update(User).values(is_active=False)))
    assert not await db.query(users.any_admin)
    assert await db.write(partial(users.ensure_admin, username="root", password_hash="two"))
    assert await db.query(users.any_admin)


async def test_sign_ins_go_with_their_user(db: Database) -> None:
    user_id = await make_user(db)
    await open_session(db, user_id, "t1")

    def remove(session: Session) -> int:
        session.delete(session.get_one(User, user_id))
        session.flush()
        return session.scalar(select(func.count()).select_from(RefreshToken)) or 0

    assert await db.write(remove) == 0
