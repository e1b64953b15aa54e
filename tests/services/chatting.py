"""A chat service of the test's own, with a scripted model, on any database."""

from functools import partial
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from app.crud import runs
from app.db.models import Message
from app.db.session import Database, Session
from app.schemas.chat import ChatRequest
from app.services.chat import ChatService, Started
from app.services.generation import Tools
from app.services.streams.events import UserEvents
from app.services.streams.journal import Journal
from tests.chats import Frame, parse
from tests.fakes.scripted import Scripted
from tests.services.llm.sources import pool_of

REPLICA = "a replica"
BREAK = {
    "sqlite": ["CREATE TRIGGER broken BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'broken'); END"],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION broken() RETURNS trigger AS $$ BEGIN RAISE 'broken'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER broken BEFORE UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION broken()",
    ],
}
MEND = {"sqlite": ["DROP TRIGGER broken"], "postgresql": ["DROP TRIGGER broken ON messages"]}


class Chatting:
    """One process's worth of chat: `await close()` ends it well, `die()` like a kill."""

    def __init__(self, db: Database, folder: Path, user: UUID, *models: Scripted) -> None:
        self.db, self.user = db, user
        self.log = Journal(folder / "journal.db")
        pool = pool_of(*models, first=30, idle=30, total=60)
        tools = Tools(db=db, pool=pool, grounding=None)  # type: ignore[arg-type] - no test here has files
        self.service = ChatService(tools, self.log, UserEvents(), replica=REPLICA, max_message_chars=100_000)

    async def start(self, message: str | None = "hello", *, key: str | None = None, **body: object) -> Started:
        given = {} if message is None else {"message": message}
        return await self.service.start(self.user, ChatRequest.model_validate({**given, **body}), key=key)

    async def frames(self, started: Started, after: int = 0) -> list[Frame]:
        tail = await self.service.resume(self.user, started.run_id, after)
        return parse(b"".join([data async for data in tail]))

    async def message(self, started: Started) -> Message:
        def read(session: Session) -> Message:
            message = session.get(Message, started.message_id)
            assert message is not None
            return message

        return await self.db.query(read)

    async def run_status(self, started: Started) -> str:
        return (await self.db.query(lambda session: runs.get(session, started.run_id, self.user))).status

    async def die(self) -> None:
        """What was committed is on disk, nothing is concluded."""
        for run in list(self.service._running.values()):
            run.task.cancel()
        await self.log.aclose()

    async def close(self) -> None:
        self.service.interrupt()
        await self.service.aclose()
        await self.log.aclose()


async def break_rows(db: Database) -> None:
    """Let the database refuse every message that ends: a real fault, made by a trigger."""
    await db.write(partial(_execute, statements=BREAK))


async def mend_rows(db: Database) -> None:
    await db.write(partial(_execute, statements=MEND))


def _execute(session: Session, *, statements: dict[str, list[str]]) -> None:
    for statement in statements[session.get_bind().dialect.name]:
        session.execute(text(statement))
