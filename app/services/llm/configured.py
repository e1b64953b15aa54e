"""The sources that the settings and config/models.yaml ask for."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.core.errors import SettingsError
from app.core.model_settings import AIHubSettings, LLMSettings, OllamaSettings
from app.core.registry import Registry
from app.core.settings import Settings
from app.services.llm.base import ModelKind
from app.services.llm.deadlines import Deadlines
from app.services.llm.http import Credentials, FixedKey, Http
from app.services.llm.local import local_source
from app.services.llm.ollama_pull import OllamaPuller
from app.services.llm.pool import Pool
from app.services.llm.providers.aihub import KeycloakToken
from app.services.llm.providers.ollama import Models, Ollama
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible
from app.services.llm.providers.passages import Passages
from app.services.llm.source import Address, Source, Terms
from app.services.llm.store.base import Puller
from app.services.llm.store.folder import ModelFolder

if TYPE_CHECKING:
    from app.services.llm.rows import Row

OPENAI_URL: Final = "https://api.openai.com/v1"
MISSING: Final = {
    "openai": "set OPENAI_API_KEY, or OPENAI_BASE_URL for another endpoint",
    "aihub": "set AIHUB_URL and AIHUB_KEYCLOAK_HOST",
}
# YAML is slow to import, and most have no rows.
ROWS: Registry[Callable[[Path, Mapping[str, str]], "list[Row]"]] = Registry(
    "rows", {"yaml": "app.services.llm.rows:load_rows"}
)


def build_pool(settings: Settings, folder: ModelFolder | None = None) -> Pool:
    """`passages` is always there; a model comes before it. Raises SettingsError for what cannot be used."""
    llm = settings.llm
    folder = folder or ModelFolder(settings.model_files, settings.storage.data_dir)
    sources = [
        *_openai(llm),
        local_source(folder, settings.local, terms(llm)),
        *_ollama(settings.ollama, llm),
        *_aihub(settings.aihub, llm),
        *(_row(row, llm) for row in _rows(llm, settings.variables)),
        Source([Address("passages", Passages())], terms(llm)),
    ]
    known = {source.name for source in sources}
    for name in llm.fallback_model_sources:
        _check("FALLBACK_MODEL_SOURCES", name.partition("/")[0], known)
    if llm.default_model_source is not None:
        _check("DEFAULT_MODEL_SOURCE", llm.default_model_source, known)
    missing = {name: how for name, how in MISSING.items() if name not in known}
    return Pool(sources, default=llm.default_model_source, missing=missing)


def pullers(pool: Pool) -> dict[str, Puller]:
    """The sources that fetch models for themselves."""
    servers = {source.name: source.provider for source in pool.sources}
    return {name: OllamaPuller(server) for name, server in servers.items() if isinstance(server, Ollama)}


def _check(setting: str, name: str, known: set[str]) -> None:
    if name in MISSING and name not in known:
        raise SettingsError(f"{setting}={name!r} cannot be used: it is not configured; {MISSING[name]}.")
    if name not in known:
        raise SettingsError(f"{setting}={name!r} cannot be used: the known ones are {', '.join(sorted(known))}.")


def terms(llm: LLMSettings, **changes: object) -> Terms:
    """What holds for every source, with changes."""
    given = {
        "deadlines": Deadlines(llm.first_token_timeout_s, llm.idle_timeout_s, llm.total_timeout_s),
        "max_concurrent": llm.max_concurrent_answers,
        "max_waiting": llm.max_waiting_answers,
        "fallback": tuple(llm.fallback_model_sources),
        **{name: value for name, value in changes.items() if value is not None},
    }
    return Terms(**given)  # type: ignore[arg-type]


def _openai(llm: LLMSettings) -> list[Source]:
    if not (llm.openai_api_key or llm.openai_base_url):
        return []
    key = FixedKey(llm.openai_api_key.get_secret_value() if llm.openai_api_key else None)
    endpoints = [
        Endpoint(
            url,
            model=llm.openai_model,
            embedding_model=llm.openai_embed_model,
            context_tokens=llm.openai_context_tokens,
        )
        for url in llm.openai_base_url or [OPENAI_URL]
    ]
    return [_compatible("openai", endpoints, key, Http(), terms(llm))]


def _aihub(hub: AIHubSettings, llm: LLMSettings) -> list[Source]:
    if hub.aihub_url is None and hub.aihub_keycloak_host is None:
        return []
    if hub.aihub_url is None or hub.aihub_keycloak_host is None:
        lacking = "AIHUB_URL" if hub.aihub_url is None else "AIHUB_KEYCLOAK_HOST"
        raise SettingsError(f"{lacking} is missing: the AI HUB needs AIHUB_URL and AIHUB_KEYCLOAK_HOST.")
    if hub.aihub_username is None and hub.aihub_client_secret is None:
        raise SettingsError("The AI HUB needs AIHUB_USERNAME and AIHUB_PASSWORD, or AIHUB_CLIENT_SECRET.")
    endpoint = Endpoint(
        hub.aihub_url,
        model=hub.aihub_model,
        embedding_model=hub.aihub_embed_model,
        context_tokens=hub.aihub_context_tokens,
        verify_tls=hub.aihub_verify_ssl,
    )
    return [_compatible("aihub", [endpoint], KeycloakToken(hub), Http(verify_tls=hub.aihub_verify_ssl), terms(llm))]


def _ollama(ollama: OllamaSettings, llm: LLMSettings) -> list[Source]:
    """Always there, since it has a usual address; the default only when somebody said that it is used."""
    models = Models(ollama.ollama_chat_model, ollama.ollama_embed_model, ollama.ollama_context_tokens)
    http = Http()
    addresses = [Address(url, Ollama(url, models, http=http)) for url in ollama.embeddings_baseurl]
    return [Source(addresses, terms(llm, is_configured=lambda: ollama.is_configured))]


def _compatible(name: str, endpoints: Sequence[Endpoint], credentials: Credentials, http: Http, terms: Terms) -> Source:
    return Source(
        [Address(e.base_url, OpenAICompatible(name, e, credentials=credentials, http=http)) for e in endpoints], terms
    )


def _rows(llm: LLMSettings, variables: Mapping[str, str]) -> "list[Row]":
    path = llm.models_config
    if not path.exists():
        if "models_config" in llm.model_fields_set:
            raise SettingsError(f"MODELS_CONFIG={str(path)!r} cannot be used: there is no such file.")
        return []
    lines = path.read_text("utf-8", "replace").splitlines()
    if all(not line.strip() or line.lstrip().startswith("#") for line in lines):
        return []
    return ROWS.get("yaml")(path, variables)


def _row(row: "Row", llm: LLMSettings) -> Source:
    endpoints = [
        Endpoint(
            url,
            model=row.default_model or row.first_of.get(ModelKind.CHAT),
            embedding_model=row.embedding_model or row.first_of.get(ModelKind.EMBEDDING),
            context_tokens=row.context_tokens,
            models=[model.info for model in row.models],
            verify_tls=row.verify_ssl,
        )
        for url in row.base_urls
    ]
    return _compatible(
        row.name,
        endpoints,
        FixedKey(row.key.get_secret_value() if row.key else None),
        Http(verify_tls=row.verify_ssl, headers=row.headers),
        terms(
            llm,
            deadlines=Deadlines(
                row.first_token_timeout_s or llm.first_token_timeout_s,
                row.idle_timeout_s or llm.idle_timeout_s,
                row.total_timeout_s or llm.total_timeout_s,
            ),
            max_concurrent=row.max_concurrent,
            max_waiting=row.max_waiting,
            fallback=tuple(row.fallback) or None,
            prices={model.name: model.price for model in row.models if model.price is not None},
        ),
    )
