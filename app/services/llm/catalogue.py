"""All models of all sources under one list of names."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.core.errors import UnknownName
from app.services.llm.base import ModelInfo
from app.services.llm.pool import Pool
from app.services.llm.source import closest

MAX_KNOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Offer:
    """A model by the name that asks for it, `source/model`. Without `info` it is the source itself."""

    id: str
    source: str
    info: ModelInfo | None = None


async def offers(pool: Pool) -> list[Offer]:
    """Of every configured source that can be reached; a source that answers without a model stands for itself."""
    sources = [source for source in pool.sources if source.is_configured]
    listings = await asyncio.gather(*(source.listing() for source in sources))
    found: list[Offer] = []
    for source, listing in zip(sources, listings, strict=True):
        found += [Offer(f"{source.name}/{model.name}", source.name, model) for model in listing.models]
        if not source.capabilities.generates:
            found.append(Offer(source.name, source.name))
    return found


def find(known: Sequence[Offer], name: str) -> Offer:
    """By its id, else by its bare name. Raises UnknownName with the closest."""
    for offer in known:
        if offer.id == name:
            return offer
    for offer in known:
        if offer.info is not None and offer.info.name == name:
            return offer
    names = [offer.id for offer in known]
    said = f"The model {name!r} does not exist; closest: {', '.join(closest(name, names))}"
    raise UnknownName(said, details={"known": names[:MAX_KNOWN]})
