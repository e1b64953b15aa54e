"""One small model that is offered, by name, size and licence, to who has none. It is never fetched unasked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from loguru import logger

from app.core.errors import AppError
from app.services.llm.store.room import megabytes
from app.services.llm.store.store import Store

REPO: Final = "Qwen/Qwen2.5-1.5B-Instruct-GGUF"
FILE: Final = "qwen2.5-1.5b-instruct-q4_k_m.gguf"
TIMEOUT_S: Final = 5.0
KEPT_S: Final = 3600.0
RETRY_S: Final = 300.0  # after a hub that could not be reached


@dataclass(frozen=True, slots=True)
class ModelOffer:
    name: str
    repo: str
    file: str
    size_bytes: int
    license: str | None

    @property
    def command(self) -> str:
        return f"llama-service models pull {self.repo}:{self.file}"

    def __str__(self) -> str:
        terms = [megabytes(self.size_bytes), *([self.license.replace("apache", "Apache")] if self.license else [])]
        return f"`{self.command}` fetches {self.name} ({', '.join(terms)})."


class Offers:
    """Asks the hub for size and licence, and remembers them for an hour. `needed`: no model is configured."""

    def __init__(self, store: Store, *, needed: Callable[[], bool]) -> None:
        self._store = store
        self._needed = needed
        self._asking = asyncio.Lock()
        self._known: ModelOffer | None = None
        self._until = 0.0

    async def current(self) -> ModelOffer | None:
        """None when a model is configured or on disk, or when the hub cannot be reached."""
        if not self._needed():
            return None
        if await asyncio.to_thread(self._store.folder.files):
            return None
        async with self._asking:
            clock = asyncio.get_running_loop().time
            if clock() >= self._until:
                self._known = await self._asked()
                self._until = clock() + (KEPT_S if self._known else RETRY_S)
        return self._known

    async def announce(self) -> None:
        """One line in the log, if there is an offer."""
        if (offer := await self.current()) is not None:
            logger.info("No language model is configured. {}", offer)

    async def _asked(self) -> ModelOffer | None:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                found = await self._store.find(f"{REPO}:{FILE}")
        except (AppError, TimeoutError):
            return None
        return ModelOffer(found.name, REPO, FILE, found.size_bytes, found.license)
