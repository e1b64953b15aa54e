"""What is over is removed, and nothing else."""

from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import select

from app.core.enums import Role
from app.crud import api_keys, runs, users
from app.crud.api_keys import NewKey
from app.db.base import now
from app.db.models import ApiKey, AuthSession, IdempotencyKey, RefreshToken
from app.db.session import Database, Session
from app.services.housekeeping import Housekeeping


def fill(session: Session) -> None:
    """One sign-in and one key of each kind that are over, one each that are not."""
    ann = users.create(session, username="ann", email=None, password_hash="h", role=Role.USER)
    for name, hours in (("over", -1), ("live", 1)):
        users.open_session(session, ann.id, now() + timedelta(hours=hours), name)
        taken = runs.claim_key(session, user_id=ann.id, key=name, body_hash="h", target_id=uuid4())
        assert taken is None
    key = session.get_one(IdempotencyKey, (ann.id, "over"))
    key.created_at = now() - runs.KEY_LIFETIME - timedelta(minutes=1)
    for name, expired, revoked in (
        ("live", None, None),
        ("of late", 29, 29),
        ("expired", 31, None),
        ("gone", None, 31),
    ):
        made = api_keys.add(session, NewKey(uuid4(), ann.id, name, "d", [], None))
        made.expires_at, made.revoked_at = ago(expired), ago(revoked)


def ago(days: int | None) -> datetime | None:
    return None if days is None else now() - timedelta(days=days)


async def test_removes_what_is_over(db: Database) -> None:
    await db.write(fill)
    housekeeping = Housekeeping(db)
    await housekeeping.run()
    await housekeeping.aclose()
    assert await db.query(lambda s: s.scalars(select(IdempotencyKey.key)).all()) == ["live"]
    assert set(await db.query(lambda s: s.scalars(select(ApiKey.name)).all())) == {"live", "of late"}
    assert await db.query(lambda s: s.scalars(select(RefreshToken.token_hash)).all()) == ["live"]
    assert len(await db.query(lambda s: s.scalars(select(AuthSession.id)).all())) == 1
