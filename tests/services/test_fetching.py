"""Documents by their address: what is fetched, under which name, and what is refused."""

import asyncio
from ipaddress import ip_network

import pytest

from app.core.errors import AppError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, ValidationFailed
from app.services.fetching import MAX_REDIRECTS, Fetcher
from tests.fakes.site import PDF, site

LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


async def fetched(url: str, *, timeout_s: float = 20) -> tuple[str, str, bytes]:
    async with Fetcher(allowed=LOOPBACK, timeout_s=timeout_s).open(url) as found:
        return found.url, found.name, b"".join([piece async for piece in found.pieces])


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        ("/report#page=3", "report.pdf", PDF),
        ("/a%20b.PDF", "a b.PDF", PDF),
        ("/", "127.0.0.1.html", b"<p>Hello</p>"),
        ("/wiki/Page.aspx?id=1", "Page.aspx.html", b"<p>Hello</p>"),
        ("/named", "../data.csv", b"a,b"),
        ("/packed", "packed.bin", b"text " * 1000),
        ("/x?to=/report", "report.pdf", PDF),
    ],
)
async def test_a_document_is_fetched_under_a_name_that_fits(path: str, name: str, body: bytes) -> None:
    async with site() as base:
        _, found, data = await fetched(base + path)
    assert (found, data) == (name, body)


@pytest.mark.parametrize(
    ("url", "error", "said"),
    [
        ("{base}/none", UpstreamRefused, "404 Not Found; it must be readable without signing in"),
        ("{base}/x?status=503", UpstreamUnavailable, "503 Service Unavailable; try again later"),
        ("{base}/x?status=204", UpstreamRefused, "204"),
        ("{base}/again", UpstreamRefused, f"more than {MAX_REDIRECTS} redirects"),
        ("{base}/x?to=file:///etc/passwd", UpstreamRefused, "redirects to an address that cannot be used"),
        ("{base}/x?to=http://u:p@127.0.0.1/", UpstreamRefused, "redirects to an address that cannot be used"),
        ("{base}/cut", UpstreamUnavailable, "broke off"),
        ("http://127.0.0.1:1/", UpstreamUnavailable, "cannot be reached"),
        ("http://nowhere.invalid/?secret=1", ValidationFailed, "host of 'http://nowhere.invalid/' is not known"),
        ("ftp://127.0.0.1/", ValidationFailed, "no http:// or https:// address"),
        ("http:///x", ValidationFailed, "no http:// or https:// address"),
        ("http://[::1", ValidationFailed, "no http:// or https:// address"),
        ("http://127.0.0.1:99999/", ValidationFailed, "no http:// or https:// address"),
        ("http://127.0.0.1/" + "x" * 2000, ValidationFailed, "no http:// or https:// address"),
        ("http://user:word@127.0.0.1/", ValidationFailed, "with a user name or password"),
    ],
)
async def test_what_cannot_be_fetched_says_why(url: str, error: type[AppError], said: str) -> None:
    async with site() as base:
        with pytest.raises(error) as refused:
            await fetched(url.format(base=base))
    assert said in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_private_network_is_not_reached(host: str) -> None:
    with pytest.raises(ValidationFailed, match="leads into a private network"):
        async with Fetcher(allowed=[], timeout_s=20).open(f"http://{host}:9/"):
            pass


@pytest.mark.parametrize("to", ["http://127.0.0.2:9/", "//127.0.0.3:9/", "http://[::1]:9/"])
async def test_a_redirect_into_a_private_network_is_not_followed(to: str) -> None:
    async with site() as base:
        fetcher = Fetcher(allowed=[ip_network("127.0.0.1/32")], timeout_s=20)
        with pytest.raises(ValidationFailed, match="leads into a private network"):
            async with fetcher.open(f"{base}/x?to={to}"):
                pass


async def test_time_is_bounded() -> None:
    async with site() as base:
        fetcher = Fetcher(allowed=LOOPBACK, timeout_s=0.2)
        with pytest.raises(UpstreamTimeout, match=r"within 0\.2 seconds"):
            async with fetcher.open(f"{base}/report") as found:
                async for _ in found.pieces:
                    await asyncio.Event().wait()
