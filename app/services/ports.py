"""What `/ready` asks of each port that the service stands on."""

from dataclasses import dataclass
from typing import Protocol

from app.core.errors import ModelUnavailable, UpstreamUnavailable
from app.crud import probes
from app.db.session import Database
from app.observability.readiness import Check
from app.services.blobs import Blobs
from app.services.indexing import Index
from app.services.jobs import Jobs
from app.services.llm.pool import Pool


class Pinged(Protocol):
    """A port that can say how it is."""

    async def ping(self) -> str:
        """A word about it. Raises an AppError when it does not work."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one process. `probe` names are those of the checks."""

    db: Database
    vectors: Pinged
    log: Pinged
    jobs: Jobs
    blobs: Blobs
    index: Index
    pool: Pool

    def checks(self) -> list[Check]:
        return [
            Check("rows", self._rows),
            Check("text_index", self._text_index),
            Check("token_log", self.log.ping),
            Check("files", self._files),
            Check("jobs", self._jobs),
            Check("vectors", self.vectors.ping),
            Check("embeddings", self._embeddings, needed=False),
            Check("chat_model", self._chat_model, needed=False),
        ]

    async def _rows(self) -> str:
        await self.db.query(probes.rows)
        return "SQLite" if self.db.is_sqlite else "PostgreSQL"

    async def _text_index(self) -> str:
        await self.db.query(probes.text_index)
        return "FTS5" if self.db.is_sqlite else "BM25 over postings"

    async def _files(self) -> str:
        return f"{await self.blobs.free_bytes() / 1e9:.1f} GB free"

    async def _jobs(self) -> str:
        await self.jobs.started()
        return "running"

    async def _embeddings(self) -> str:
        try:
            return await self.index.describe(self.db)
        except ModelUnavailable as error:
            raise ModelUnavailable(f"{error.message}; search by words alone until it answers") from error

    async def _chat_model(self) -> str:
        source = self.pool.default
        if not source.capabilities.generates:
            return f"{source.name}: no model is configured, passages are answered with"
        listing = await source.listing()
        if listing.reason is not None:
            raise UpstreamUnavailable(listing.reason)
        return f"{source.name}: {len(listing.models)} models"
