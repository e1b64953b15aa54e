"""Lists, describes, pulls and embeds with the ollama package."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx
import numpy as np
import ollama

from app.core.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.base import Embeddings, ModelInfo, ModelKind
from app.services.llm.ollama_wire import not_pulled

LIST_TIMEOUT_S: Final = 5.0
SHOW_TIMEOUT_S: Final = 2.0  # a chat waits for it
WORK_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class PullProgress:
    """What Ollama says while it pulls: a word, and bytes of the layer at hand."""

    status: str
    bytes_done: int
    bytes_total: int


class OllamaSDK:
    """One Ollama server. Raises an UpstreamError for every fault."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._quick = ollama.AsyncClient(base_url, timeout=LIST_TIMEOUT_S)
        self._patient = ollama.AsyncClient(base_url, timeout=WORK_TIMEOUT_S)

    async def models(self) -> list[ModelInfo]:
        with _faults(self._base_url):
            listed = (await self._quick.list()).models
        return [
            ModelInfo(model.model, kind=_kind(model.model), size_bytes=int(model.size) if model.size else None)
            for model in listed
            if model.model
        ]

    async def context_tokens(self, model: str) -> int | None:
        """What the model was trained with; None when Ollama does not say."""
        try:
            async with asyncio.timeout(SHOW_TIMEOUT_S):
                with _faults(self._base_url, model):
                    info = (await self._quick.show(model)).modelinfo or {}
        except TimeoutError:
            raise UpstreamTimeout(f"Ollama at {self._base_url} did not describe {model!r} in time") from None
        return next((int(value) for key, value in info.items() if key.endswith(".context_length")), None)

    async def embed(self, texts: Sequence[str], model: str, dimensions: int | None) -> Embeddings:
        with _faults(self._base_url, model):
            answer = await self._patient.embed(model, list(texts), truncate=False, dimensions=dimensions)
        if len(answer.embeddings) != len(texts):
            raise UpstreamRefused(f"{self._base_url} gave {len(answer.embeddings)} embeddings for {len(texts)} texts")
        return Embeddings(np.array(answer.embeddings, np.float32), model, answer.prompt_eval_count)

    async def pull(self, model: str) -> AsyncIterator[PullProgress]:
        """Until the model is there. Raises UpstreamRefused for a name that Ollama's library does not have."""
        with _faults(self._base_url, model):
            async for said in await self._patient.pull(model, stream=True):
                yield PullProgress(said.status or "", said.completed or 0, said.total or 0)

    async def aclose(self) -> None:
        await self._quick.close()  # type: ignore[no-untyped-call]
        await self._patient.close()  # type: ignore[no-untyped-call]


def _kind(name: str) -> ModelKind | None:
    return ModelKind.EMBEDDING if "embed" in name else None


@contextmanager
def _faults(base_url: str, model: str | None = None) -> Iterator[None]:
    try:
        yield
    except ollama.ResponseError as error:
        if error.status_code == 404 and model is not None:
            raise not_pulled(model) from error
        kind = UpstreamUnavailable if error.status_code == 429 or error.status_code >= 500 else UpstreamRefused
        raise kind(f"Ollama at {base_url} refused ({error.status_code}): {error.error[:300]}") from error
    except (ValueError, TypeError) as error:  # not JSON, or JSON of another shape
        raise UpstreamUnavailable(f"{base_url} does not answer as Ollama does; check EMBEDDINGS_BASEURL") from error
    except httpx.TimeoutException as error:
        raise UpstreamTimeout(f"Ollama at {base_url} did not answer in time") from error
    except (httpx.HTTPError, ConnectionError) as error:
        raise UpstreamUnavailable(f"cannot reach Ollama at {base_url}: is it running?") from error
