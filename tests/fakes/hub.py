"""A hub of our own on loopback: the model API, `resolve` with a redirect to a second server, ranges, and every fault.

`hub.add("owner/repo", "file.gguf", data)` puts a file there; `hub.file(...)` gives it back to be changed in mid-test.
"""

import asyncio
import json
import re
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self
from urllib.parse import unquote

from tests.fakes.http import read_request

RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
API = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+?)(?:/revision/(?P<revision>[^/]+))?")
TREE = re.compile(r"/api/models/(?P<repo>[^/]+/[^/]+)/tree/(?P<revision>[^/]+)")
PIECE = 1 << 16
LONG_S = 60


def gguf(size: int, *, seed: int = 0) -> bytes:
    """Bytes that begin as a model does, and no two pieces of which are alike."""
    blocks = (sha256(f"{seed} {n}".encode()).digest() for n in range(size // 32 + 1))
    return (b"GGUF" + b"".join(blocks))[:size]


@dataclass
class FakeFile:
    """`cuts`: after how many bytes each of the next answers breaks off. `holds`: the next answer stops there."""

    data: bytes
    sha256: str = ""
    cuts: list[int] = field(default_factory=list)
    holds: list[int] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = ""
    is_lfs: bool = True
    claims: int | None = None  # the size that the API gives
    swap: bytes | None = None  # what it is after the next cut

    def __post_init__(self) -> None:
        self.sha256 = self.sha256 or sha256(self.data).hexdigest()
        if self.etag == "":
            self.etag = f'"{sha256(self.data).hexdigest()[:12]}"'


@dataclass
class Repo:
    files: dict[str, FakeFile] = field(default_factory=dict)
    license: str | None = "apache-2.0"
    status: int = 200
    error_code: str = ""
    commit: str | None = "c0ffee" + "0" * 34
    api: bool = True
    tree: bool = True
    sizes: bool = True
    page: bytes | None = None  # what `resolve` answers instead, with 200


@dataclass
class Seen:
    """What the hub and the server behind its redirects have seen and sent."""

    requests: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)  # that came to the hub
    leaked: list[str] = field(default_factory=list)  # that came to the server behind it
    ranges: list[str] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)


class Hub:
    """`with Hub() as hub:` serves `hub.url` from a thread."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.seen = Seen()
        self.busy = 0  # so many of the next requests for a file get 503
        self.token: str | None = None  # without it: 401
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}"

    def add(self, repo: str, path: str, data: bytes, **more: object) -> FakeFile:
        self.repos.setdefault(repo, Repo()).files[path] = FakeFile(data, **more)  # type: ignore[arg-type]
        return self.repos[repo].files[path]

    def wait_held(self, part: Path, size: int, *, looks: int = 1500) -> None:
        """Until an answer is held, and so many bytes of what was sent before are in the file `part`."""
        assert self.seen.held.wait(LONG_S), "no answer was held"
        self.seen.held.clear()
        for _ in range(looks):
            if part.exists() and part.stat().st_size >= size:
                return
            time.sleep(0.02)
        raise AssertionError(f"{part} did not grow to {size} bytes")

    def release(self) -> None:
        """Let held answers go on."""
        self._loop.call_soon_threadsafe(self._go_on.set)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        self._stop, self._go_on = asyncio.Event(), asyncio.Event()
        servers = [await asyncio.start_server(each, "127.0.0.1", 0) for each in (self._hub, self._behind)]
        self._ports = [server.sockets[0].getsockname()[1] for server in servers]
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()

    async def _hub(self, reader: StreamReader, writer: StreamWriter) -> None:
        await self._converse(reader, writer, is_hub=True)

    async def _behind(self, reader: StreamReader, writer: StreamWriter) -> None:
        await self._converse(reader, writer, is_hub=False)

    async def _converse(self, reader: StreamReader, writer: StreamWriter, *, is_hub: bool) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                route, headers, _ = request
                (self.seen.tokens if is_hub else self.seen.leaked).extend(
                    [headers["authorization"]] if "authorization" in headers else []
                )
                if is_hub:
                    self.seen.requests.append(route)
                    answer = self._answer(route, headers)
                    writer.write(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if route[:4] == "HEAD" else answer)
                else:
                    await self._send(route, headers, writer)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _answer(self, route: str, headers: dict[str, str]) -> bytes:
        method, _, address = route.partition(" ")
        path = unquote(address)
        if path == "/api/models":
            return _json(200, [{"id": name} for name in self.repos])
        found = TREE.fullmatch(path) or RESOLVE.fullmatch(path) or API.fullmatch(path)
        repo = self.repos.get(found["repo"]) if found else None
        if found is None or repo is None:
            return _json(
                401 if self.token is None else 404, {"error": "no such repository"}, "X-Error-Code: RepoNotFound"
            )
        if self.token is not None and headers.get("authorization") != f"Bearer {self.token}":
            return _json(401, {"error": "Invalid credentials"})
        if repo.status != 200:
            return _json(repo.status, {"error": "refused"}, f"X-Error-Code: {repo.error_code}")
        if found.re is RESOLVE:
            return self._resolve(method, found["path"], repo, found["repo"])
        if not (repo.tree if found.re is TREE else repo.api):
            return _json(404, {"error": "no such route"})
        return _json(200, _tree(repo) if found.re is TREE else _info(repo))

    def _resolve(self, method: str, path: str, repo: Repo, name: str) -> bytes:
        file = repo.files.get(path)
        if repo.page is not None:
            return _head(200, len(repo.page), "Content-Type: text/html") + repo.page
        if file is None:
            return _json(404, {"error": "Entry not found"}, "X-Error-Code: EntryNotFound")
        if self.busy and method == "GET":
            self.busy -= 1
            return _json(503, {"error": "busy"}, "Retry-After: 0")
        linked = [f'X-Linked-Etag: "{file.sha256}"', f"X-Linked-Size: {len(file.data)}"] if file.is_lfs else []
        commit = [f"X-Repo-Commit: {repo.commit}"] if repo.commit else []
        where = f"Location: http://127.0.0.1:{self._ports[1]}/{name}/{path}"
        return _head(302, 0, where, *linked, *commit)

    async def _send(self, route: str, headers: dict[str, str], writer: StreamWriter) -> None:
        method, _, address = route.partition(" ")
        owner, repo, path = unquote(address).lstrip("/").split("/", 2)
        file = self.repos[f"{owner}/{repo}"].files[path]
        start = self._start(file, headers)
        size = len(file.data)
        etag = [f"ETag: {file.etag}"] if file.etag else []
        if start >= size:
            writer.write(_head(416, 0, f"Content-Range: bytes */{size}"))
            return
        ranged = [f"Content-Range: bytes {start}-{size - 1}/{size}"] if start else []
        writer.write(_head(206 if start else 200, size - start, *etag, *ranged))
        if method == "HEAD":
            return
        data, cut = file.data[start:], file.cuts.pop(0) if file.cuts else None
        if cut is not None and file.swap is not None:
            file.data, file.etag, file.swap = file.swap, file.etag and '"swapped"', None
        hold = file.holds.pop(0) if file.holds else None
        await self._pour(path, data, writer, cut=cut, hold=hold)

    def _start(self, file: FakeFile, headers: dict[str, str]) -> int:
        """Where the body begins: a range of another file than this one is not a range of this one."""
        asked = headers.get("range", "")
        if asked:
            self.seen.ranges.append(asked)
        same = headers.get("if-range") in {None, file.etag}
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked and file.ranges and same else 0

    async def _pour(self, path: str, data: bytes, writer: StreamWriter, *, cut: int | None, hold: int | None) -> None:
        stop = min(n for n in (cut, hold, len(data)) if n is not None)
        for at in range(0, stop, PIECE):
            piece = data[at : min(at + PIECE, stop)]
            writer.write(piece)
            await writer.drain()
            self.seen.sent[path] += len(piece)
        if cut is not None and cut < len(data):
            writer.transport.abort() if cut == 0 else writer.close()
            raise ConnectionResetError
        if hold is not None and hold < len(data):
            self.seen.held.set()
            self._go_on.clear()
            await self._go_on.wait()
            await self._pour(path, data[stop:], writer, cut=None, hold=None)


def _info(repo: Repo) -> dict[str, object]:
    siblings = []
    for path, file in repo.files.items():
        size = file.claims or len(file.data)
        lfs = {"sha256": file.sha256, "size": size} if file.is_lfs else None
        sized = {"size": size, "lfs": lfs} if repo.sizes else {}
        siblings.append({"rfilename": path, **sized})
    card = {"cardData": {"license": repo.license}} if repo.license else {}
    return {"id": "x", "siblings": siblings, **({"sha": repo.commit} if repo.commit else {}), **card}


def _tree(repo: Repo) -> list[dict[str, object]]:
    return [{"type": "directory", "path": "x"}] + [
        {
            "type": "file",
            "path": path,
            "size": len(file.data),
            **({"lfs": {"oid": file.sha256, "size": len(file.data)}} if file.is_lfs else {}),
        }
        for path, file in repo.files.items()
    ]


def _head(status: int, size: int, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} X", f"Content-Length: {size}", *headers, "", ""]).encode()


def _json(status: int, body: object, *headers: str) -> bytes:
    data = json.dumps(body).encode()
    return _head(status, len(data), "Content-Type: application/json", *headers) + data
