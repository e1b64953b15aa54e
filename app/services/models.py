"""What models there are, and how their sources do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.core.errors import UnknownName
from app.services.llm.base import ModelInfo
from app.services.llm.breaker import BreakerState
from app.services.llm.pool import Pool
from app.services.llm.source import AddressStatus, Listing, Source

WELL_KNOWN: Final = ("local", "ollama", "aihub", "openai")


@dataclass(frozen=True, slots=True)
class Offered:
    """The models of one source; without any, the reason."""

    model_source: str
    is_default: bool
    models: Sequence[ModelInfo]
    default_model: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class AddressState:
    """One base URL. `cooling_s`: seconds until it is asked again."""

    address: str
    reachable: bool
    latency_ms: float | None
    busy: int
    breaker: str
    cooling_s: float
    last_error: str | None


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """`latency_ms` is what listing the models took; None when they could not be listed."""

    configured: bool
    is_default: bool
    reachable: bool
    latency_ms: float | None
    default_model: str | None
    models: int
    loaded: Sequence[str]
    running: int
    waiting: int
    max_concurrent: int | None
    breaker: str | None
    last_error: str | None
    addresses: Sequence[AddressState]


class Models:
    """Asks the sources, all at once."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def offered(self, name: str | None) -> list[Offered]:
        """By one source, or by all that are configured. Raises UnknownName."""
        if name is not None and name in self._pool.missing:
            return [Offered(name, False, [], None, f"not configured: {self._pool.missing[name]}")]
        known = [*self._pool.names, *self._pool.missing]
        if name is not None and name not in known:
            raise UnknownName.of("mode", name, known)
        sources = [self._pool.get(name)] if name else [s for s in self._pool.sources if s.is_configured]
        listings = await asyncio.gather(*(source.listing() for source in sources))
        return [
            Offered(source.name, source is self._pool.default, listing.models, source.default_model, listing.reason)
            for source, listing in zip(sources, listings, strict=True)
        ]

    async def status(self) -> dict[str, SourceStatus]:
        """The well-known sources, configured or not, and every row."""
        sources = [source for source in self._pool.sources if source.capabilities.generates]
        found = await asyncio.gather(*map(self._status_of, sources))
        states = {source.name: status for source, status in zip(sources, found, strict=True)}
        missing = {name: _missing(how) for name, how in self._pool.missing.items()}
        return {name: states.get(name) or missing[name] for name in WELL_KNOWN if name in states | missing} | states

    async def _status_of(self, source: Source) -> SourceStatus:
        survey = await source.survey()
        answering = [listing for _, listing in survey if listing.reason is None]
        best = min(answering, key=lambda listing: listing.latency_ms or 0.0, default=survey[0][1])
        states = [_state(status, listing) for status, listing in survey]
        worst = max(states, key=lambda s: (s.breaker != BreakerState.CLOSED, s.cooling_s, s.last_error is not None))
        return SourceStatus(
            configured=source.is_configured,
            is_default=source is self._pool.default,
            reachable=bool(answering),
            latency_ms=best.latency_ms,
            default_model=source.default_model,
            models=len(best.models),
            loaded=[model.name for model in best.models if model.loaded],
            running=source.queue.running,
            waiting=source.queue.waiting,
            max_concurrent=source.queue.limit,
            breaker=worst.breaker,
            last_error=worst.last_error,
            addresses=states,
        )


def _state(status: AddressStatus, listing: Listing) -> AddressState:
    return AddressState(
        address=status.address,
        reachable=listing.reason is None,
        latency_ms=listing.latency_ms,
        busy=status.busy,
        breaker=status.breaker,
        cooling_s=status.cooling_s,
        last_error=listing.reason or status.last_error,
    )


def _missing(how: str) -> SourceStatus:
    return SourceStatus(
        configured=False,
        is_default=False,
        reachable=False,
        latency_ms=None,
        default_model=None,
        models=0,
        loaded=[],
        running=0,
        waiting=0,
        max_concurrent=None,
        breaker=None,
        last_error=f"not configured: {how}",
        addresses=[],
    )
