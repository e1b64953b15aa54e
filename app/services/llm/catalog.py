"""Lists an OpenAI-compatible endpoint's models with the openai package."""

import openai

from app.core.errors import UpstreamRefused, UpstreamUnavailable

TIMEOUT_S = 5.0


async def model_names(base_url: str, api_key: str | None) -> list[str]:
    """Raises UpstreamRefused or UpstreamUnavailable."""
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key=api_key or "none", max_retries=0, timeout=TIMEOUT_S
    ) as client:
        try:
            return [model.id async for model in client.models.list()]
        except openai.APIStatusError as error:
            raise UpstreamRefused(f"{base_url} refused to list its models ({error.status_code})") from error
        except openai.APIError as error:
            raise UpstreamUnavailable(f"cannot list the models of {base_url}: {error}") from error
