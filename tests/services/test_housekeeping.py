"""What is over is removed, and nothing else."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import select

from app.core.enums import Role
from app.crud import runs, users
from app.db.base import now
from app.db.models import AuthSession, IdempotencyKey, RefreshToken
from app.db.session import Database, Session
from app.services.housekeeping import Housekeeping


def fill(session: Session) -> None:
    """One sign-in and one key that are over, one each that are not."""
    ann = users.create(session, username="ann", email=None, password_hash="h", role=Role.USER)
    for name, hours in (("over", -1), ("live", 1)):
        users.open_session(session, ann.id, now() + timedelta(hours=hours), name)
        taken = runs.claim_key(session, user_id=ann.id, key=name, body_hash="h", target_id=uuid4())
        assert taken is None
    key = session.get_one(IdempotencyKey, (ann.id, "over"))
    key.created_at = now() - runs.KEY_LIFETIME - timedelta(minutes=1)


async def test_removes_what_is_over(db: Database) -> None:
    await db.write(fill)
    housekeeping = Housekeeping(db)
    await housekeeping.run()
    await housekeeping.aclose()
    assert await db.query(lambda s: s.scalars(select(IdempotencyKey.key)).all()) == ["live"]
    assert await db.query(lambda s: s.scalars(select(RefreshToken.token_hash)).all()) == ["live"]
    assert len(await db.query(lambda s: s.scalars(select(AuthSession.id)).all())) == 1
