"""The way to a model's server: one shared client for each source, bounded reads, every fault as one of ours."""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final, Protocol

import aiohttp
from yarl import URL

from app.core.errors import AppError, ContextOverflow, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.wire import error_text, is_overflow

CONNECT_TIMEOUT_S: Final = 10
MAX_ERROR_BYTES: Final = 65536


class Credentials(Protocol):
    """Where the bearer token for a server comes from."""

    async def bearer(self) -> str | None:
        """None: the server asks for none. Raises an UpstreamError when it cannot be had."""

    def refused(self, bearer: str | None) -> bool:
        """The server answered 401 to it. True: `bearer()` will give another one."""


class FixedKey:
    """Credentials that never change."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    async def bearer(self) -> str | None:
        return self._key

    def refused(self, bearer: str | None) -> bool:
        return False


class Http:
    """A client that is opened with its first request and shared by all base URLs of one source."""

    def __init__(self, *, verify_tls: bool = True, headers: dict[str, str] | None = None) -> None:
        self._verify_tls, self._headers = verify_tls, headers or {}
        self._client: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(self, url: URL, body: bytes, credentials: Credentials) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, whatever its status. A refused token is replaced once. Raises an UpstreamError."""
        with faults(str(url)):
            bearer = await credentials.bearer()
            async with self._send(url, body, bearer) as response:
                if response.status != 401 or not credentials.refused(bearer):
                    yield response
                    return
            async with self._send(url, body, await credentials.bearer()) as response:
                yield response

    def _send(self, url: URL, body: bytes, bearer: str | None) -> "aiohttp.client._RequestContextManager":
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else None
        return self._open().post(url, data=body, headers=headers, allow_redirects=False)

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._verify_tls),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                headers={"Content-Type": "application/json", **self._headers},
                auto_decompress=True,
            )
        return self._client


@contextmanager
def faults(address: str) -> Iterator[None]:
    """Turns what aiohttp raises into UpstreamUnavailable or UpstreamTimeout."""
    try:
        yield
    except aiohttp.ClientConnectorError as error:
        raise UpstreamUnavailable(f"cannot reach the model's server at {address}: {error.os_error}") from error
    except aiohttp.ServerTimeoutError as error:
        raise UpstreamTimeout(f"the model's server at {address} did not accept the connection in time") from error
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamUnavailable(f"the model's server dropped the connection: {type(error).__name__}") from error


async def read(content: aiohttp.StreamReader, limit: int) -> bytes:
    """A body, or its first `limit` bytes."""
    body = bytearray()
    async for data in content.iter_any():
        body += data
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds; None when there is none, or a date."""
    wait = headers.get("Retry-After", "")
    return float(wait) if wait.replace(".", "", 1).isdigit() else None


async def refusal(response: aiohttp.ClientResponse, source: str) -> AppError:
    """What an answer without a stream means."""
    said = error_text(await read(response.content, MAX_ERROR_BYTES))
    status = response.status
    if status == 429 or status >= 500:
        return UpstreamUnavailable(
            f"the model's server is busy or failing ({status}): {said}; try again shortly",
            retry_after_s=retry_after_s(response.headers),
        )
    if status in {401, 403}:
        return UpstreamRefused(f"the model's server refused the key ({status}): {said}; check {source}'s API key")
    if status == 200:
        return UpstreamRefused(f"{response.url} answers with a web page, not with a model: check its base URL")
    if is_overflow(said):
        return ContextOverflow(f"the prompt is too long for the model: {said}")
    return UpstreamRefused(
        f"the model's server refused the request ({status}): {said}", details={"upstream_status": status}
    )


def suppressed() -> "contextlib.suppress":
    """For what follows a finished answer: an error there must not keep the answer from ending."""
    return contextlib.suppress(TimeoutError, aiohttp.ClientError, AppError)
