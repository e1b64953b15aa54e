"""Any endpoint that speaks OpenAI's chat completions: OpenAI, vLLM, llama-server, LM Studio and others."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from app.core.errors import UpstreamError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.core.registry import Registry
from app.services.llm.base import Capabilities, Delta, Generation
from app.services.llm.body import read, read_usage
from app.services.llm.wire import MAX_BODY_BYTES, OpenAIDeltas, SSEDecoder, error_text

MAX_ERROR_BYTES: Final = 65536
CONNECT_TIMEOUT_S: Final = 10
# The SDK is slow to import and is not on the token path: the table keeps it out of the start.
CATALOG: Registry[Callable[[str, str | None], Awaitable[list[str]]]] = Registry(
    "catalog", {"openai": "app.services.llm.catalog:model_names"}
)


class OpenAICompatible:
    """Implements Provider with one shared aiohttp client."""

    def __init__(
        self, name: str, *, base_url: str, api_key: str | None, model: str | None, context_tokens: int
    ) -> None:
        self.name = name
        self.default_model = model
        self.capabilities = Capabilities(context_tokens=context_tokens)
        self._base_url = base_url
        self._url = URL(base_url + "/chat/completions")
        self._api_key = api_key
        self._client: aiohttp.ClientSession | None = None

    async def models(self) -> list[str]:
        return await CATALOG.get("openai")(self._base_url, self._api_key)

    async def stream(self, request: Generation) -> AsyncGenerator[Delta, None]:
        deltas, events = OpenAIDeltas(), SSEDecoder()
        try:
            async with self._open().post(self._url, data=self._body(request), allow_redirects=False) as response:
                if response.status != 200 or response.content_type == "text/html":
                    raise await self._refusal(response)
                if response.content_type == "application/json":
                    yield deltas.whole(await read(response.content, MAX_BODY_BYTES))
                while data := await response.content.readany():
                    delta = deltas.read(events.feed(data))
                    if delta is not None:
                        yield delta
                    if deltas.finish_reason is not None:
                        await read_usage(response.content, deltas, events)
                        break
                yield deltas.end()
        except aiohttp.ClientConnectorError as error:
            raise UpstreamUnavailable(
                f"cannot reach the model's server at {self._base_url}: {error.os_error}"
            ) from error
        except aiohttp.ServerTimeoutError as error:
            raise UpstreamTimeout(
                f"the model's server at {self._base_url} did not accept the connection in time"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(f"the model's server dropped the connection: {type(error).__name__}") from error

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                headers={"Content-Type": "application/json"}
                | ({"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}),
                auto_decompress=True,
            )
        return self._client

    def _body(self, request: Generation) -> bytes:
        optional = {"temperature": request.temperature, "max_tokens": request.max_tokens}
        return msgspec.json.encode(
            {
                "model": request.model or self.default_model or "default",
                "messages": [{"role": turn.role, "content": turn.content} for turn in request.turns],
                "stream": True,
                "stream_options": {"include_usage": True},
                **{name: value for name, value in optional.items() if value is not None},
            }
        )

    async def _refusal(self, response: aiohttp.ClientResponse) -> UpstreamError:
        said = error_text(await read(response.content, MAX_ERROR_BYTES))
        status = response.status
        if status == 429 or status >= 500:
            wait = response.headers.get("Retry-After", "")
            return UpstreamUnavailable(
                f"the model's server is busy or failing ({status}): {said}; try again shortly",
                retry_after_s=float(wait) if wait.replace(".", "", 1).isdigit() else None,
            )
        if status in {401, 403}:
            return UpstreamRefused(
                f"the model's server refused the key ({status}): {said}; check {self.name}'s API key"
            )
        if status == 200:
            return UpstreamRefused(f"{self._base_url} answers with a web page, not with a model: check its base URL")
        return UpstreamRefused(f"the model's server refused the request ({status}): {said}")
