"""The embedders of one process: the one that the settings ask for, and the one that made the index before."""

from functools import partial

from loguru import logger

from app.core.errors import SettingsError
from app.core.model_settings import LLMSettings
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.provider import ProviderEmbedder
from app.services.llm.pool import Pool

Either = MiniLM | ProviderEmbedder


class Embedders:
    """`minilm` is the built-in one, if it is installed; `chosen` is as set, else the built-in one.

    `recipe` says how the chosen one is built, so that it can be built again when the settings name another.
    """

    def __init__(self, llm: LLMSettings, pool: Pool) -> None:
        self._llm, self._pool = llm, pool
        self.minilm = MiniLM() if MiniLM.available() else None
        self.chosen: Either | None = build_embedder(llm, pool) or self.minilm
        self._former: list[ProviderEmbedder] = []

    @property
    def recipe(self) -> dict[str, object] | None:
        """None: there is no embedder."""
        if self.chosen is None:
            return None
        return {"source": self._llm.embedding_source, "model": self._llm.embedding_model}

    def former(self, recipe: dict[str, object]) -> Either | None:
        """The embedder of an earlier recipe. None: it cannot be built any more."""
        source, model = recipe.get("source"), recipe.get("model")
        if source is None:
            return self.minilm
        asked = self._llm.model_copy(update={"embedding_source": source, "embedding_model": model})
        try:
            built = build_embedder(asked, self._pool)
        except SettingsError as error:
            logger.warning("the embedder of the index cannot be used any more: {}", error)
            return None
        if built is not None:
            self._former.append(built)
        return built

    async def aclose(self) -> None:
        for each in (self.minilm, self.chosen, *self._former):
            if each is not None:
                await each.aclose()


def build_embedder(llm: LLMSettings, pool: Pool) -> ProviderEmbedder | None:
    """None: EMBEDDING_SOURCE is empty. Asks nothing of the source yet. Raises SettingsError for what cannot be used."""
    name, model = llm.embedding_source, llm.embedding_model
    if name is None:
        if model is not None:
            raise SettingsError(f"EMBEDDING_MODEL={model!r} cannot be used without EMBEDDING_SOURCE: name its source.")
        return None
    sources = {source.name: source for source in pool.sources if source.capabilities.embeds}
    if name not in sources:
        reason = f"it is not configured; {pool.missing[name]}; " if name in pool.missing else ""
        known = ", ".join(sorted(sources))
        raise SettingsError(f"EMBEDDING_SOURCE={name!r} cannot be used: {reason}the known ones are {known}.")
    source = sources[name]
    if model is None and not source.capabilities.embeds_unnamed:
        raise SettingsError(
            f"EMBEDDING_MODEL is missing: {name!r} has no embedding model of its own; name one of its models."
        )
    ask = partial(pool.embed, source, model=model)
    return ProviderEmbedder(name, ask, max_tokens=llm.embedding_max_tokens)
