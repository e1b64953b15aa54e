"""HTTP to a hub: redirects are followed by hand, so that the token goes to the hub alone and its headers are seen."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeVar
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec
from yarl import URL

from app.core.errors import AppError, NotFound, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.store.base import PIECE_BYTES

T = TypeVar("T")
CONNECT_TIMEOUT_S: Final = 10
ANSWER_TIMEOUT_S: Final = 15  # for what is no file
MAX_REDIRECTS: Final = 5
MAX_JSON_BYTES: Final = 16 << 20
MAX_WAIT_S: Final = 60.0
NO_ROUTE: Final = {404, 405, 410, 501}
REDIRECTS: Final = {301, 302, 303, 307, 308}
ERROR_CODE: Final = "X-Error-Code"
LINKED: Final = ("X-Linked-Etag", "X-Linked-Size", "X-Repo-Commit")  # the hub's own, of an answer that redirects


@dataclass(frozen=True, slots=True)
class Reply:
    """The last answer, with what the hub's own said on the way."""

    response: aiohttp.ClientResponse
    linked: Mapping[str, str]

    def header(self, name: str) -> str | None:
        return self.linked.get(name) or self.response.headers.get(name)


class Web:
    """One client for one hub, opened on first use."""

    def __init__(self, endpoint: str, token: str | None, *, stall_timeout_s: float) -> None:
        self.endpoint = endpoint
        self.has_token = token is not None
        self._origin = URL(endpoint).origin()
        self._token = token
        self._stall_timeout_s = stall_timeout_s
        self._client: aiohttp.ClientSession | None = None

    async def json(self, path: str, kind: type[T], *, what: str, timeout_s: float = ANSWER_TIMEOUT_S) -> T | None:
        """What the hub answers, or None when it has no such route or answers with something else.

        `what` is the repository, for messages. Raises an UpstreamError when it refuses or cannot be reached.
        """
        try:
            async with asyncio.timeout(timeout_s), self.request("GET", self.endpoint + path) as reply:
                if reply.response.status in NO_ROUTE or reply.response.headers.get(ERROR_CODE) == "RepoNotFound":
                    return None
                self.check(reply, what)
                return msgspec.json.decode(await _read(reply.response.content), type=kind)
        except msgspec.DecodeError:
            return None
        except TimeoutError:
            raise _silent(self.endpoint, timeout_s) from None

    async def head(self, url: str, *, what: str) -> Reply:
        """The headers of a file. Raises an UpstreamError or NotFound."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S), self.request("HEAD", url) as reply:
                self.check(reply, what)
                return reply
        except TimeoutError:
            raise _silent(self.endpoint, ANSWER_TIMEOUT_S) from None

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """The answer at the end of all redirects. Raises UpstreamUnavailable, UpstreamTimeout or UpstreamRefused."""
        at, linked = URL(url, encoded=True), dict[str, str]()
        try:
            for _ in range(MAX_REDIRECTS):
                async with self._open().request(
                    method, at, headers=self._headers(at, headers), allow_redirects=False, proxy=_proxy(at)
                ) as response:
                    if response.status not in REDIRECTS:
                        yield Reply(response, linked)
                        return
                    linked |= {name: response.headers[name] for name in LINKED if name in response.headers}
                    at = self._next(at, response)
        except aiohttp.ClientConnectorError as error:
            raise UpstreamUnavailable(f"cannot reach {at.origin()}: {error.os_error}") from error
        except (aiohttp.ServerTimeoutError, TimeoutError) as error:
            raise UpstreamTimeout(f"{at.origin()} fell silent; try again") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamUnavailable(f"{at.origin()} dropped the connection: {type(error).__name__}") from error
        raise UpstreamRefused(f"{self.endpoint} redirects more than {MAX_REDIRECTS} times")

    def check(self, reply: Reply, repo: str) -> None:
        """Raises what a status other than 2xx means, with the way out."""
        response = reply.response
        status, code = response.status, response.headers.get(ERROR_CODE, "")
        if status < 300:
            return
        if status == 429 or status >= 500:
            wait = response.headers.get("Retry-After", "")
            raise UpstreamUnavailable(
                f"{response.url.origin()} is busy or failing ({status}); try again shortly",
                retry_after_s=min(float(wait), MAX_WAIT_S) if wait.isdigit() else None,
            )
        raise self._refusal(status, code, repo)

    def _refusal(self, status: int, code: str, repo: str) -> AppError:
        if code == "GatedRepo":
            how = "the account of HF_TOKEN" if self.has_token else "an account, and give its token as HF_TOKEN"
            return UpstreamRefused(f"{repo!r} is gated: accept its licence at {self.endpoint}/{repo} with {how}")
        if status == 404 or code == "RepoNotFound":
            return NotFound(f"{self.endpoint} has no {repo!r}; check the name of owner, repository and file")
        if status in {401, 403} and self.has_token:
            return UpstreamRefused(
                f"the hub refuses {repo!r} ({status}): check its name, and whether HF_TOKEN is valid and may read it"
            )
        if status in {401, 403}:
            return UpstreamRefused(
                f"the hub refuses {repo!r} ({status}): check its name; a private or gated one needs HF_TOKEN"
            )
        return UpstreamRefused(f"{self.endpoint} refused the request for {repo!r} ({status})")

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> aiohttp.ClientSession:
        if self._client is None:
            self._client = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=self._stall_timeout_s
                ),
                headers={"Accept-Encoding": "identity", "User-Agent": "llama-service"},
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=PIECE_BYTES,
            )
        return self._client

    def _headers(self, url: URL, more: Mapping[str, str] | None) -> dict[str, str]:
        token = {"Authorization": f"Bearer {self._token}"} if self._token and url.origin() == self._origin else {}
        return {**(more or {}), **token}

    def _next(self, at: URL, response: aiohttp.ClientResponse) -> URL:
        try:
            target = at.join(URL(response.headers.get("Location", ""), encoded=True))
        except ValueError:
            target = URL()
        if target.scheme not in {"http", "https"} or not target.host or (at.scheme, target.scheme) == ("https", "http"):
            raise UpstreamRefused(f"{at.origin()} redirects to an address that cannot be used")
        return target


async def pieces(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """A body in pieces of about PIECE_BYTES; what came before a fault is given before it is raised."""
    waiting: list[bytes] = []
    size = 0
    fault: Exception | None = None
    try:
        while data := await content.readany():
            waiting.append(data)
            size += len(data)
            if size >= PIECE_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        fault = error
    if waiting:
        yield b"".join(waiting)
    if fault is not None:
        raise fault


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for data in content.iter_any():
        body += data
        if len(body) > MAX_JSON_BYTES:
            raise UpstreamRefused(f"the hub's answer is longer than {MAX_JSON_BYTES >> 20} MB")
    return bytes(body)


def _silent(endpoint: str, seconds: float) -> UpstreamTimeout:
    return UpstreamTimeout(f"{endpoint} did not answer within {seconds:g} s; try again")


def _proxy(url: URL) -> URL | None:
    """HTTPS_PROXY and its like. aiohttp's own way to read them would send passwords of ~/.netrc too."""
    address = getproxies().get(url.scheme)
    return URL(address) if address and url.host and not proxy_bypass(url.host) else None
