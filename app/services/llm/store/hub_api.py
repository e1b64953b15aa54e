"""What a hub says about a repository: its files with sizes and hashes, and its licence."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import msgspec

from app.core.errors import UpstreamError
from app.services.llm.store.web import ANSWER_TIMEOUT_S, Web

SHA256: Final = re.compile(r"[0-9a-f]{64}")
MAX_SIMILAR: Final = 5
SIMILAR_TIMEOUT_S: Final = 5


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a repository; None: the hub does not say."""

    path: str
    size_bytes: int | None = None
    sha256: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """`revision` is the commit, when the hub names it: then all that is fetched is of the same moment."""

    revision: str
    files: list[Listed]
    license: str | None


class _LFS(msgspec.Struct):
    sha256: str | None = None
    oid: str | None = None
    size: int | None = None


class _Sibling(msgspec.Struct):
    rfilename: str
    size: int | None = None
    lfs: _LFS | None = None


class _Card(msgspec.Struct):
    license: str | list[str] | None = None


class _Repo(msgspec.Struct, rename="camel"):
    siblings: list[_Sibling] = []
    sha: str | None = None
    card_data: _Card | None = None
    tags: list[str] = []


class _Entry(msgspec.Struct):
    path: str
    type: str = "file"
    size: int | None = None
    lfs: _LFS | None = None


class _Named(msgspec.Struct):
    id: str


class HubApi:
    """https://huggingface.co/docs/hub/api; a mirror may have only a part of it."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def listing(self, repo: str, revision: str | None, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Listing | None:
        """The files of a repository, or None when there is no such list. Raises an UpstreamError."""
        at = f"/revision/{quote(revision, safe='')}" if revision else ""
        found = await self._web.json(f"/api/models/{quote(repo)}{at}?blobs=true", _Repo, what=repo, timeout_s=timeout_s)
        files = [_listed(one.rfilename, one.size, one.lfs) for one in found.siblings] if found else []
        commit = (found.sha if found else None) or revision or "main"
        if any(file.size_bytes is None for file in files) or not files:
            files = await self._tree(repo, commit) or files
        return Listing(commit, files, _license(found)) if found is not None or files else None

    async def similar(self, name: str) -> list[str]:
        """Repositories with GGUF files whose names are like this one. Empty when the hub does not say."""
        path = f"/api/models?search={quote(name)}&filter=gguf&limit={MAX_SIMILAR}"
        try:
            found = await self._web.json(path, list[_Named], what=name, timeout_s=SIMILAR_TIMEOUT_S)
        except UpstreamError:
            return []
        return [one.id for one in found or []][:MAX_SIMILAR]

    async def _tree(self, repo: str, revision: str) -> list[Listed]:
        path = f"/api/models/{quote(repo)}/tree/{quote(revision, safe='')}?recursive=true"
        found = await self._web.json(path, list[_Entry], what=repo)
        return [_listed(entry.path, entry.size, entry.lfs) for entry in found or [] if entry.type == "file"]


def hash_in(etag: str | None) -> str | None:
    """The sha256 that an ETag is, if it is one."""
    bare = (etag or "").strip('"')
    return bare if SHA256.fullmatch(bare) else None


def _listed(path: str, size: int | None, lfs: _LFS | None) -> Listed:
    if lfs is None:
        return Listed(path, size)
    return Listed(path, size if size is not None else lfs.size, hash_in(lfs.sha256 or lfs.oid))


def _license(found: _Repo | None) -> str | None:
    if found is None:
        return None
    said = found.card_data.license if found.card_data else None
    if isinstance(said, list):
        return ", ".join(said) or None
    tagged = [tag.removeprefix("license:") for tag in found.tags if tag.startswith("license:")]
    return said or (tagged[0] if tagged else None)
