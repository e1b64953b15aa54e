"""The way to every model: the sources by name, and what answers when one of them cannot."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.core.enums import Stage
from app.core.errors import ModelUnavailable, UnknownName, UpstreamTimeout, UpstreamUnavailable
from app.schemas.chat import StatusChanged
from app.services.llm.attempts import Attempts, Sink
from app.services.llm.base import Embeddings, Generation
from app.services.llm.deadlines import Watch
from app.services.llm.embedding import embed
from app.services.llm.queue import Ticket
from app.services.llm.source import Source, closest
from app.services.llm.tokens import estimate_tokens

FALLS_BACK: Final = (UpstreamUnavailable, UpstreamTimeout, ModelUnavailable)


class Pool:
    """The sources by name, in the order of preference. `missing` are well-known ones that are not configured, and
    what would configure them."""

    def __init__(
        self, sources: Sequence[Source], *, default: str | None, missing: Mapping[str, str] | None = None
    ) -> None:
        self._sources = {source.name: source for source in sources}
        self._default = default
        self.missing = dict(missing or {})

    @property
    def names(self) -> list[str]:
        return list(self._sources)

    @property
    def sources(self) -> list[Source]:
        return list(self._sources.values())

    @property
    def default(self) -> Source:
        """What answers when a request names nothing: as set, else the first that is configured at this moment."""
        if self._default is not None:
            return self._sources[self._default]
        return next(source for source in self._sources.values() if source.is_configured)

    def get(self, name: str | None) -> Source:
        """The source, or the default for None. Raises UnknownName, which lists the known ones."""
        if name is None:
            return self.default
        if name in self._sources:
            return self._sources[name]
        if name in self.missing:
            said = f"model_source {name!r} is not configured: {self.missing[name]}; known: {', '.join(self.names)}"
            raise UnknownName(said, details={"known": self.names})
        raise UnknownName.of("model_source", name, self.names)

    async def resolve(self, name: str) -> tuple[Source, str | None]:
        """`source/model`, a source, a model that a source lists, else a model of the default source.

        Raises UnknownName.
        """
        head, slash, model = name.partition("/")
        if head in self._sources or (head in self.missing and slash):
            return self.get(head), model or None
        configured = [source for source in self._sources.values() if source.is_configured]
        known_at = next((source for source in configured if source.remembers(name)), None)
        if known_at is not None:
            return known_at, name
        listings = await asyncio.gather(*(source.listing() for source in configured))
        offered = {
            source: {m.name for m in listing.models} for source, listing in zip(configured, listings, strict=True)
        }
        for source, names in offered.items():
            if name in names:
                return source, name
        if self.default.capabilities.generates:
            return self.default, name
        known = [f"{source.name}/{model}" for source, names in offered.items() for model in sorted(names)]
        known = known or self.names
        said = f"there is no model {name!r}; closest: {', '.join(closest(name, known))}"
        raise UnknownName(said, details={"known": known[:100]})

    async def generate(self, source: Source, request: Generation, sink: Sink, ticket: Ticket) -> None:
        """Feed the answer to `sink`. Raises an AppError; after the first token nothing else is tried."""
        watch = Watch(source.terms.deadlines)
        others = self._fallbacks(source, request)
        while True:
            try:
                return await Attempts(source, request, sink, watch).run(ticket)
            except FALLS_BACK as error:
                following = None if watch.started else await anext(others, None)
                if following is None:
                    raise
                source, request = following
                sink.status(
                    StatusChanged(
                        stage=Stage.FALLING_BACK,
                        model_source=source.name,
                        model=request.model or source.default_model,
                        reason=error.message,
                    )
                )

    async def _fallbacks(self, source: Source, request: Generation) -> AsyncIterator[tuple[Source, Generation]]:
        """Those whose context takes the prompt."""
        need = sum(estimate_tokens(turn.text) for turn in request.turns)
        for name in source.terms.fallback:
            head, _, model = name.partition("/")
            other = self._sources[head]
            if other is source:
                continue
            if not other.capabilities.generates or need < await other.context_tokens(model or None):
                yield other, replace(request, model=model or None)

    async def embed(
        self, source: Source, texts: Sequence[str], *, model: str | None = None, dimensions: int | None = None
    ) -> Embeddings:
        """See `embedding.embed`."""
        return await embed(source, texts, model=model, dimensions=dimensions)

    async def aclose(self) -> None:
        for source in self._sources.values():
            await source.aclose()
