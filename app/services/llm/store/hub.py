"""GGUF files of a hub: `OWNER/REPO[@REVISION][:FILE]`, or the address of the repository's page."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from app.core.errors import NotFound, UpstreamRefused, ValidationFailed
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import Body, Changed, Found, RemoteFile
from app.services.llm.store.choice import choose
from app.services.llm.store.hub_api import HubApi, Listed, Listing, hash_in
from app.services.llm.store.names import is_gguf, local_name, model_name
from app.services.llm.store.web import Reply, Web, pieces

REFERENCE: Final = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[^:@]+))?(?::(?P<file>[^:]+))?"
)
PAGE: Final = re.compile(r"/(?P<repo>[^/]+/[^/]+)(?:/(?:resolve|blob|tree)/(?P<revision>[^/]+)(?:/(?P<file>.+))?)?/?")
RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True, slots=True)
class Reference:
    repo: str
    revision: str | None
    file: str | None

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.repo}{revision}" + (f":{self.file}" if self.file else "")


class Hub:
    """Implements Fetcher. https://huggingface.co/docs/hub/api, and any server with the same paths."""

    def __init__(self, settings: ModelFileSettings) -> None:
        token = settings.hf_token.get_secret_value() if settings.hf_token else None
        self._web = Web(settings.hf_endpoint, token, stall_timeout_s=settings.pull_stall_timeout_s)
        self._api = HubApi(self._web)
        self._offline = settings.hf_hub_offline

    async def find(self, address: str) -> Found:
        if self._offline:
            raise UpstreamRefused("HF_HUB_OFFLINE is set, so the hub is not asked; unset it to pull from there")
        asked = parse(address, self._web.endpoint)
        listing = await self._api.listing(asked.repo, asked.revision)
        if listing is None:
            listing = await self._unlisted(asked)
        choice = choose([file.path for file in listing.files], asked.file, repo=asked.repo)
        by_path = {file.path: file for file in listing.files}
        files = tuple([await self._remote(asked.repo, listing.revision, by_path[path]) for path in choice.paths])
        return Found(
            name=model_name(files[0].name),
            address=str(replace(asked, file=files[0].path)),
            files=files,
            repo=asked.repo,
            revision=listing.revision,
            license=listing.license,
            chosen=choice.chosen,
        )

    @asynccontextmanager
    async def open(self, file: RemoteFile, *, start: int, etag: str | None) -> AsyncIterator[Body]:
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and etag is not None:
            headers["If-Range"] = etag
        async with self._web.request("GET", file.url, headers) as reply:
            if reply.response.status == 416:
                raise Changed
            self._web.check(reply, file.path)
            _check_same(reply, file)
            begins, size = _range(reply)
            # A weak ETag may not be used for ranges: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.5
            strong = reply.response.headers.get("ETag", "W/")
            async with aclosing(pieces(reply.response.content)) as body:
                yield Body(begins, size, None if strong.startswith("W/") else strong, body)

    async def aclose(self) -> None:
        await self._web.aclose()

    async def _remote(self, repo: str, revision: str, listed: Listed) -> RemoteFile:
        if listed.size_bytes is None:
            listed = await self._head(repo, revision, listed.path)
        if not listed.size_bytes:
            raise UpstreamRefused(f"{self._web.endpoint} does not say how large {listed.path!r} of {repo!r} is")
        return RemoteFile(
            name=local_name(listed.path),
            path=listed.path,
            url=self._url(repo, revision, listed.path),
            size_bytes=listed.size_bytes,
            sha256=listed.sha256,
            etag=listed.etag,
        )

    async def _head(self, repo: str, revision: str, path: str) -> Listed:
        """What the headers of one file say, where there is no list."""
        local_name(path)
        reply = await self._web.head(self._url(repo, revision, path), what=f"{repo}:{path}")
        size = reply.header("X-Linked-Size") or reply.header("Content-Length") or ""
        etag = reply.header("X-Linked-Etag") or reply.header("ETag")
        return Listed(path, int(size) if size.isdigit() else None, hash_in(etag), etag)

    async def _unlisted(self, asked: Reference) -> Listing:
        """The one file that was asked for, of a server that lists none. Raises NotFound with similar repositories."""
        revision = asked.revision or "main"
        if asked.file is not None and is_gguf(asked.file):
            with suppress(NotFound):
                return Listing(revision, [await self._head(asked.repo, revision, asked.file)], None)
        near = await self._api.similar(asked.repo.rpartition("/")[2])
        hint = f"similar ones: {', '.join(near)}" if near else "check the name"
        private = "" if self._web.has_token else ", and a private one needs HF_TOKEN"
        raise NotFound(f"{self._web.endpoint} has no {str(asked)!r}; {hint}{private}")

    def _url(self, repo: str, revision: str, path: str) -> str:
        return f"{self._web.endpoint}/{quote(repo)}/resolve/{quote(revision, safe='')}/{quote(path)}"


def parse(address: str, endpoint: str) -> Reference:
    """Raises ValidationFailed for what is neither a reference nor a page of the hub."""
    if "://" in address:
        found = PAGE.fullmatch(unquote(urlsplit(address).path.removeprefix(urlsplit(endpoint).path)))
        if not address.startswith(endpoint + "/") or found is None:
            raise ValidationFailed(f"{address!r} is not a page of the hub at {endpoint} (HF_ENDPOINT)")
    else:
        found = REFERENCE.fullmatch(address)
    if found is None or ".." in address or not address.isprintable():
        raise ValidationFailed(
            f"{address!r} names no model: write OWNER/REPO, OWNER/REPO:FILE, s3://BUCKET/KEY or an absolute path"
        )
    return Reference(found["repo"], found["revision"], found["file"])


def _check_same(reply: Reply, file: RemoteFile) -> None:
    """Raises Changed when the hub's headers name another hash than its list did."""
    now = hash_in(reply.header("X-Linked-Etag"))
    if now is not None and file.sha256 is not None and now != file.sha256:
        raise Changed


def _range(reply: Reply) -> tuple[int, int | None]:
    """Where the body begins, and the size of the whole file."""
    response = reply.response
    if response.status == 206:
        found = RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if found is None:
            raise UpstreamRefused(f"{response.url.origin()} sent a part of a file without saying which")
        return int(found[1]), int(found[2])
    return 0, response.content_length
