"""Lists models and embeds texts of an OpenAI-compatible server with the openai package."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import numpy as np
import openai

from app.core.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.base import Embeddings
from app.services.llm.http import Credentials, retry_after_s

LIST_TIMEOUT_S: Final = 5.0
EMBED_TIMEOUT_S: Final = 60.0
NO_KEY: Final = "none"  # the package insists on one


class OpenAISDK:
    """Implements SDK. The pool retries, so the package does not."""

    def __init__(self, base_url: str, credentials: Credentials, verify_tls: bool) -> None:
        self._base_url, self._credentials = base_url, credentials
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=NO_KEY,
            max_retries=0,
            timeout=LIST_TIMEOUT_S,
            http_client=openai.DefaultAsyncHttpxClient(verify=verify_tls),
        )

    async def model_names(self) -> list[str]:
        async with self._authorized("list its models") as client:
            return [model.id async for model in client.models.list()]

    async def embed(self, texts: Sequence[str], model: str, dimensions: int | None) -> Embeddings:
        async with self._authorized("embed") as client:
            answer = await client.embeddings.create(
                input=list(texts),
                model=model,
                dimensions=openai.omit if dimensions is None else dimensions,
                timeout=EMBED_TIMEOUT_S,
            )
        if len(answer.data) != len(texts):
            raise UpstreamRefused(f"{self._base_url} gave {len(answer.data)} embeddings for {len(texts)} texts")
        vectors = np.array([entry.embedding for entry in sorted(answer.data, key=lambda e: e.index)], np.float32)
        return Embeddings(vectors, answer.model or model, answer.usage.prompt_tokens if answer.usage else None)

    async def aclose(self) -> None:
        await self._client.close()

    @asynccontextmanager
    async def _authorized(self, what: str) -> AsyncIterator[openai.AsyncOpenAI]:
        """A client with the bearer of this moment; one that the server refuses is forgotten for the next time."""
        bearer = await self._credentials.bearer()
        try:
            yield self._client.with_options(api_key=bearer or NO_KEY)
        except openai.APIStatusError as error:
            if error.status_code == 401:
                self._credentials.refused(bearer)
            raise _refusal(f"{self._base_url} refused to {what}", error) from error
        except openai.APITimeoutError as error:
            raise UpstreamTimeout(f"{self._base_url} did not {what} in time") from error
        except (ValueError, TypeError, AttributeError) as error:  # not JSON, or JSON of another shape
            raise UpstreamUnavailable(f"{self._base_url} did not {what}: its answer is of another kind") from error
        except openai.APIError as error:
            reason = error.__cause__ or error
            raise UpstreamUnavailable(f"{self._base_url} did not {what}: {reason}") from error


def _refusal(said: str, error: openai.APIStatusError) -> UpstreamRefused | UpstreamUnavailable:
    status = error.status_code
    if status != 429 and status < 500:
        return UpstreamRefused(f"{said} ({status}): {error.message[:300]}", details={"upstream_status": status})
    wait_s = retry_after_s(error.response.headers)
    return UpstreamUnavailable(f"{said} ({status}): {error.message[:300]}", retry_after_s=wait_s)
