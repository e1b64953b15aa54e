"""The providers that the settings ask for."""

from app.core.errors import SettingsError
from app.core.settings import LLMSettings
from app.services.llm.base import Provider
from app.services.llm.pool import Deadlines, Pool
from app.services.llm.providers.openai_compatible import OpenAICompatible
from app.services.llm.providers.passages import Passages

OPENAI_URL = "https://api.openai.com/v1"


def build_pool(settings: LLMSettings) -> Pool:
    """`passages` is always there; a model's server comes before it. Raises SettingsError for an unknown default."""
    providers: dict[str, Provider] = {}
    if settings.openai_api_key or settings.openai_base_url:
        providers["openai"] = OpenAICompatible(
            "openai",
            base_url=settings.openai_base_url or OPENAI_URL,
            api_key=settings.openai_api_key.get_secret_value() if settings.openai_api_key else None,
            model=settings.openai_model,
            context_tokens=settings.openai_context_tokens,
        )
    providers["passages"] = Passages()
    deadlines = Deadlines(settings.first_token_timeout_s, settings.idle_timeout_s, settings.total_timeout_s)
    default = settings.default_model_source
    if default is not None and default not in providers:
        raise SettingsError(
            f"DEFAULT_MODEL_SOURCE={default!r} cannot be used: the configured ones are {', '.join(providers)}."
        )
    return Pool(providers, default=default, deadlines=deadlines)
