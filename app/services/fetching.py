"""A document by its address: a web page or any file that can be read, fetched without reaching into a private network.

Every redirect is checked like the first address. No proxy, cookie or password of the machine is used.
"""

import asyncio
import mimetypes
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote

import aiohttp
from yarl import URL

from app.core.errors import AppError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, ValidationFailed
from app.core.settings import DocumentSettings
from app.services.addresses import CheckedResolver, Network, PrivateAddress, check_address

MAX_URL_CHARS: Final = 2000
MAX_REDIRECTS: Final = 5
MAX_FETCHES: Final = 8  # at a time, of all users
CONNECT_TIMEOUT_S: Final = 10
PIECE_BYTES: Final = 1 << 16
REDIRECTS: Final = {301, 302, 303, 307, 308}
HTML: Final = {"text/html", "application/xhtml+xml"}
HTML_SUFFIXES: Final = {".html", ".htm", ".xhtml", ".xht"}
HEADERS: Final = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "llama-service"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """An open answer. `url` is where the redirects ended, `name` fits a file."""

    url: str
    name: str
    pieces: AsyncIterator[bytes]


class Fetcher:
    """Opens addresses. `allowed` are private networks that may be reached all the same."""

    def __init__(self, *, allowed: Sequence[Network], timeout_s: float) -> None:
        self._allowed, self._timeout_s = allowed, timeout_s
        self._room = asyncio.Semaphore(MAX_FETCHES)

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[Fetched, None]:
        """The answer at the end of all redirects; it must be read within the block.

        Raises ValidationFailed for an address that cannot be used or is private, UpstreamRefused, UpstreamTimeout or
        UpstreamUnavailable for one that does not answer with a document.
        """
        at = _checked_url(url)
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._room,
                self._client() as client,
                self._followed(client, at) as response,
            ):
                yield Fetched(str(response.url), _name(response), _pieces(response))
        except TimeoutError:
            raise UpstreamTimeout(
                f"{_shown(at)} was not fetched within {self._timeout_s:g} seconds (URL_TIMEOUT_S)"
            ) from None

    def _client(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=CheckedResolver(self._allowed), use_dns_cache=False),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            headers=HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )

    @asynccontextmanager
    async def _followed(self, client: aiohttp.ClientSession, at: URL) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        for _ in range(MAX_REDIRECTS + 1):
            async with self._asked(client, at) as response:
                if response.status not in REDIRECTS:
                    _check_status(response)
                    yield response
                    return
                at = _next(at, response)
        raise UpstreamRefused(f"{_shown(at)}: more than {MAX_REDIRECTS} redirects")

    @asynccontextmanager
    async def _asked(self, client: aiohttp.ClientSession, at: URL) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        try:
            check_address(at.host or "", self._allowed)  # a literal address is not resolved
            response = await client.get(at, allow_redirects=False)
        except (PrivateAddress, aiohttp.ClientError, ConnectionError, ValueError) as error:
            raise _fault(at, error) from error
        async with response:
            yield response


def build_fetcher(settings: DocumentSettings) -> Fetcher:
    return Fetcher(allowed=settings.url_allowed_networks, timeout_s=settings.url_timeout_s)


def _checked_url(url: str) -> URL:
    try:
        at = URL(url.strip())
        usable = at.scheme in {"http", "https"} and bool(at.host) and at.port is not None
    except ValueError:
        usable = False
    if not usable or len(url) > MAX_URL_CHARS:
        raise ValidationFailed(
            f"url {url[:200]!r} is no http:// or https:// address of at most {MAX_URL_CHARS} letters"
        )
    if at.user is not None or at.password is not None:
        raise ValidationFailed("url: an address with a user name or password is not fetched; download it yourself")
    return at.with_fragment(None)


def _next(at: URL, response: aiohttp.ClientResponse) -> URL:
    try:
        return _checked_url(str(at.join(URL(response.headers.get("Location", "")))))
    except (ValueError, ValidationFailed):
        raise UpstreamRefused(f"{_shown(at)} redirects to an address that cannot be used") from None


def _fault(at: URL, error: Exception) -> AppError:
    """What a failed connection means. aiohttp wraps what the resolver raised, sometimes twice."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, PrivateAddress):
            return ValidationFailed(
                f"url: {_shown(at)} leads into a private network, where nothing is fetched from; an administrator can "
                "allow a network with URL_ALLOWED_NETWORKS"
            )
        if isinstance(cause, socket.gaierror):
            return ValidationFailed(f"url: the host of {_shown(at)} is not known; check the address")
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return ValidationFailed(f"url: {_shown(at)} cannot be used as an address")
    return UpstreamUnavailable(f"{_shown(at)} cannot be reached: {error or type(error).__name__}")


def _check_status(response: aiohttp.ClientResponse) -> None:
    status = response.status
    if status == 200:
        return
    said = f"{_shown(response.url)} answered {status} {response.reason or ''}".rstrip()
    if status == 429 or status >= 500:
        raise UpstreamUnavailable(f"{said}; try again later")
    raise UpstreamRefused(f"{said}; it must be readable without signing in")


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for data in response.content.iter_chunked(PIECE_BYTES):
            yield data
    except (aiohttp.ClientError, ConnectionError) as error:
        raise UpstreamUnavailable(f"{_shown(response.url)} broke off: {type(error).__name__}; try again") from error


def _name(response: aiohttp.ClientResponse) -> str:
    """By Content-Disposition, else the address; with the ending of its type when it has none that fits."""
    said = response.content_disposition.filename if response.content_disposition else None
    name = said or unquote(PurePosixPath(response.url.raw_path).name) or response.url.host or "page"
    suffix = PurePosixPath(name).suffix.lower()
    kind = response.content_type
    if kind in HTML:
        return name if suffix in HTML_SUFFIXES else f"{name}.html"
    known = mimetypes.guess_extension(kind) if "Content-Type" in response.headers else None
    return name if suffix or known is None else name + known


def _shown(url: URL) -> str:
    """For messages: a query may hold secrets."""
    return repr(str(url.with_query(None))[:200])
