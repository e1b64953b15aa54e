"""What is over is removed: sign-ins that ended, idempotency keys after a day, API keys after thirty."""

import asyncio
from typing import Final

from loguru import logger

from app.core.errors import AppError
from app.crud import api_keys, runs, users
from app.db.session import Database, Session

INTERVAL_S: Final = 3600


class Housekeeping:
    """Runs at start and every hour, until `aclose`."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._task = asyncio.create_task(self._repeat())

    async def run(self) -> None:
        """One pass."""
        await self._db.write(_remove)

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _repeat(self) -> None:
        while True:
            try:
                await self.run()
            except AppError as error:  # such as a full disk: the next hour may be better
                logger.warning("what is over could not be removed: {}", error)
            await asyncio.sleep(INTERVAL_S)


def _remove(session: Session) -> None:
    users.delete_expired(session)
    runs.delete_expired_keys(session)
    api_keys.delete_over(session)
