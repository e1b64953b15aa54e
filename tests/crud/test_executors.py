"""Heartbeats by the database's clock."""

from app.crud import executors
from app.db.models import Executor
from app.db.session import Database


async def test_who_beat_lately_lives_and_who_did_not_is_forgotten(db: Database) -> None:
    async with db.begin() as session:
        await executors.beat(session, "a:1")
        await executors.beat(session, "b:1")
        await executors.beat(session, "a:1")
    async with db.begin() as session:
        row = await session.get(Executor, "b:1")
        assert row is not None
        row.beat_s -= 60
    async with db.begin() as session:
        assert list(await executors.living(session, within_s=30)) == ["a:1"]
    async with db.read() as session:
        assert await session.get(Executor, "b:1") is None


async def test_a_replica_forgets_its_own_past_alone(db: Database) -> None:
    async with db.begin() as session:
        for name in ("a:1", "a:2", "ab:1", "a%:1"):
            await executors.beat(session, name)
        await executors.forget(session, "a")
        assert sorted(await executors.living(session, within_s=30)) == ["a%:1", "ab:1"]
