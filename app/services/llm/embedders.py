"""The embedder that the settings ask for, made of a source of models."""

from functools import partial

from app.core.errors import SettingsError
from app.core.model_settings import LLMSettings
from app.rag.embedders.provider import ProviderEmbedder
from app.services.llm.pool import Pool


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
