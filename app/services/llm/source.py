"""One source of models: its addresses, which of them is asked next, what it offers and how it is."""

import asyncio
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

import msgspec

from app.core.errors import AppError, UpstreamRefused
from app.services.llm.base import Capabilities, CountsTokens, ModelInfo, Provider, TokenUsage
from app.services.llm.breaker import Breaker, BreakerState
from app.services.llm.deadlines import Deadlines
from app.services.llm.queue import FairQueue

LISTED_S: Final = 20.0
LIST_TIMEOUT_S: Final = 6.0
MAX_MODELS: Final = 500  # whose health is remembered for each address
CLOSEST: Final = 5


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True, slots=True)
class Terms:
    """How a source is used. `fallback` names sources, or `source/model`, in the order of preference."""

    deadlines: Deadlines
    max_concurrent: int
    max_waiting: int = 1000
    fallback: Sequence[str] = ()
    prices: Mapping[str, Price] = field(default_factory=dict)
    is_configured: Callable[[], bool] = lambda: True

    def limited(self, max_concurrent: int, is_configured: Callable[[], bool]) -> "Terms":
        return replace(self, max_concurrent=max_concurrent, is_configured=is_configured)


def closest(name: str, known: Sequence[str]) -> Sequence[str]:
    """The known names that are most like this one, or some when none is."""
    return difflib.get_close_matches(name, known, CLOSEST, cutoff=0.3) or known[:CLOSEST]


class Address:
    """One base URL of a source: how busy it is, and how it does for each model."""

    def __init__(self, label: str, provider: Provider) -> None:
        self.label, self.provider = label, provider
        self.busy = 0
        self._breakers: dict[str | None, Breaker] = {}

    def breaker(self, model: str | None) -> Breaker:
        if model not in self._breakers and len(self._breakers) >= MAX_MODELS:
            self._breakers.clear()
        return self._breakers.setdefault(model, Breaker())

    def status(self) -> "AddressStatus":
        now = asyncio.get_running_loop().time()
        worst = max(
            self._breakers.values(), key=lambda b: (b.state(now) != BreakerState.CLOSED, b.wait_s(now)), default=None
        )
        if worst is None:
            return AddressStatus(self.label, self.busy)
        return AddressStatus(self.label, self.busy, worst.state(now), round(worst.wait_s(now), 1), worst.last_error)


class AddressStatus(msgspec.Struct, frozen=True):
    """`breaker` and `cooling_s` are those of the model that does worst."""

    address: str
    busy: int
    breaker: str = BreakerState.CLOSED.value
    cooling_s: float = 0.0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source offers. An empty list has its reason."""

    models: list[ModelInfo]
    reason: str | None
    latency_ms: float | None
    at: float


class Source:
    """Providers that offer the same models at several addresses."""

    def __init__(self, addresses: Sequence[Address], terms: Terms) -> None:
        self.addresses, self.terms = list(addresses), terms
        self.provider = addresses[0].provider
        self.name = self.provider.name
        self.queue = FairQueue(terms.max_concurrent, max_waiting=terms.max_waiting)
        self._listing: Listing | None = None
        self._asking: asyncio.Task[Listing] | None = None

    @property
    def default_model(self) -> str | None:
        return self.provider.default_model

    @property
    def capabilities(self) -> Capabilities:
        return self.provider.capabilities

    @property
    def tokenizer(self) -> CountsTokens | None:
        """The models' own, where it is at hand."""
        return cast(CountsTokens, self.provider) if self.capabilities.counts_tokens else None

    @property
    def is_configured(self) -> bool:
        return self.terms.is_configured()

    async def context_tokens(self, model: str | None) -> int:
        return await self.provider.context_tokens(model)

    def choose(self, model: str | None, tried: set[str]) -> tuple[Address, float]:
        """The address to ask next, and in how many seconds: of those that may be asked a new, an idle one first."""
        now = asyncio.get_running_loop().time()
        waits = {a.label: a.breaker(model).wait_s(now) for a in self.addresses}
        best = min(self.addresses, key=lambda a: (waits[a.label], a.label in tried, a.busy))
        self.addresses.remove(best)
        self.addresses.append(best)  # among equals the one that has rested longest
        return best, waits[best.label]

    def has_untried(self, model: str | None, tried: set[str]) -> bool:
        now = asyncio.get_running_loop().time()
        return any(a.label not in tried and a.breaker(model).wait_s(now) <= 0 for a in self.addresses)

    def cost(self, model: str | None, usage: TokenUsage) -> float | None:
        """US dollars; None when no price is known."""
        price = self.terms.prices.get(model or self.default_model or "")
        if price is None:
            return None
        return (usage.prompt_tokens * price.prompt + usage.completion_tokens * price.completion) / 1e6

    async def listing(self) -> Listing:
        """What it offers, asked at most every 20 s, once for all who want to know. Never raises an AppError."""
        now = asyncio.get_running_loop().time()
        if self._listing is not None and now - self._listing.at < LISTED_S:
            return self._listing
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._list())
        self._listing = await asyncio.shield(self._asking)
        return self._listing

    async def unknown(self, model: str) -> UpstreamRefused:
        """For a model that the source does not have, with the closest names that it has."""
        close = closest(model, [m.name for m in (await self.listing()).models])
        said = f"{self.name} has no model {model!r}"
        return UpstreamRefused(
            f"{said}; closest: {', '.join(close)}" if close else said,
            details={"upstream_status": 404, "closest": close},
        )

    async def aclose(self) -> None:
        for address in self.addresses:
            await address.provider.aclose()

    def remembers(self, model: str) -> bool:
        """Whether it has had this model, as far as is known without asking."""
        listed = self._listing.models if self._listing is not None else []
        return model == self.default_model or any(known.name == model for known in listed)

    def forget(self) -> None:
        """Ask again what it offers."""
        self._listing = None

    async def survey(self) -> list[tuple[AddressStatus, Listing]]:
        """How each address is at this moment, in the order of their names, and what it offers."""
        addresses = sorted(self.addresses, key=lambda a: a.label)
        listings = await asyncio.gather(*map(_listed_at, addresses))
        return [(address.status(), listing) for address, listing in zip(addresses, listings, strict=True)]

    async def _list(self) -> Listing:
        """Of the first address that answers, else why the first one did not."""
        first: Listing | None = None
        for address in sorted(self.addresses, key=lambda a: a.label):
            listing = await _listed_at(address)
            if listing.reason is None:
                return listing
            first = first or listing
        assert first is not None  # noqa: S101 - a source has an address
        return first


async def _listed_at(address: Address) -> Listing:
    loop, models, reason = asyncio.get_running_loop(), list[ModelInfo](), None
    began = loop.time()
    try:
        async with asyncio.timeout(LIST_TIMEOUT_S):
            models = await address.provider.models()
    except TimeoutError:
        reason = f"{address.label} did not list its models within {LIST_TIMEOUT_S:g} s"
    except AppError as error:
        reason = error.message
    latency_ms = None if reason else round((loop.time() - began) * 1e3, 1)
    return Listing(models, reason, latency_ms, loop.time())
