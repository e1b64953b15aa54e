"""The built web page and the API's documentation, served from app/static under a strict CSP.

While the page is missing, plain pages say why and what there is instead.
"""

import hashlib
import html
import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from app.core.errors import NotFound

STATIC: Final = Path(__file__).parents[1] / "static"
ERROR: Final = STATIC.with_name("static_error.txt")
STAMP: Final = ".build.json"

STYLE: Final = (
    "body{max-width:46rem;margin:3rem auto;padding:0 1rem;font:1rem/1.6 system-ui,sans-serif;color-scheme:light dark}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere}td{padding:.2rem .8rem .2rem 0;vertical-align:top}"
)
STYLE_HASH: Final = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PLAIN_CSP: Final = f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
FOREVER: Final = "public, max-age=31536000, immutable"  # the name has a hash of the content
GZIP: Final = re.compile(r"\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the built page. `packed`: a gzip copy lies beside it."""

    path: Path
    media_type: str
    etag: str
    cache: str
    packed: bool


class Page:
    """The files that a build left in a folder. Only what the build's stamp lists is served, so no path can leave it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._stamp_ns = 0
        self._assets: dict[str, Asset] = {}

    def answer(self, name: str, request: Request) -> Response | None:
        """A file of the page, or None when the build has none of this name."""
        asset = self._current().get(name)
        if asset is None:
            return None
        headers = {
            **HEADERS,
            "Content-Security-Policy": CSP,
            "Cache-Control": asset.cache,
            "ETag": asset.etag,
            "Vary": "Accept-Encoding",
        }
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        path = asset.path
        if asset.packed and GZIP.search(request.headers.get("accept-encoding", "")):
            headers["Content-Encoding"] = "gzip"
            path = path.with_name(path.name + ".gz")
        return Response(path.read_bytes(), media_type=asset.media_type, headers=headers)

    def _current(self) -> dict[str, Asset]:
        """Read anew when a build has replaced the folder."""
        stamp = self._root / STAMP
        try:
            changed_ns = stamp.stat().st_mtime_ns
            if changed_ns != self._stamp_ns:
                self._assets = dict(self._read(json.loads(stamp.read_text())["files"]))
                self._stamp_ns = changed_ns
        except (OSError, ValueError, KeyError):
            return {}
        return self._assets

    def _read(self, names: Iterable[str]) -> Iterable[tuple[str, Asset]]:
        known = set(names)
        for name in known:
            if name.endswith(".gz"):
                continue
            path = self._root / name
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:20]
            kind = guess_type(name)[0] or "application/octet-stream"
            yield (
                name,
                Asset(
                    path=path,
                    media_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
                    etag=f'W/"{digest}"',
                    cache=FOREVER if name.startswith("assets/") else "no-cache",
                    packed=f"{name}.gz" in known,
                ),
            )


def build_router(static: Path = STATIC, error: Path = ERROR) -> APIRouter:
    """`/`, `/docs` and the files they load. Routes are plain functions: they read files, so they run in threads."""
    page = Page(static)
    routes = PageRoutes(page, error)
    table: dict[str, Callable[..., Response]] = {
        "/": routes.index,
        "/docs": routes.docs,
        "/docs/{name}": routes.docs_file,
        "/assets/{name}": routes.asset,
        "/favicon.svg": routes.top_file,
        "/theme.js": routes.top_file,
    }
    router = APIRouter(include_in_schema=False)
    for path, route in table.items():
        router.add_api_route(path, route, methods=["GET", "HEAD"])
    return router


class PageRoutes:
    def __init__(self, page: Page, error: Path) -> None:
        self._page, self._error = page, error

    def index(self, request: Request) -> Response:
        return self._page.answer("index.html", request) or self._not_built()

    def docs(self, request: Request) -> Response:
        return self._page.answer("docs/index.html", request) or _plain_docs(request)

    def docs_file(self, name: str, request: Request) -> Response:
        return self._file(f"docs/{name}", request)

    def asset(self, name: str, request: Request) -> Response:
        return self._file(f"assets/{name}", request)

    def top_file(self, request: Request) -> Response:
        return self._file(request.url.path[1:], request)

    def _file(self, name: str, request: Request) -> Response:
        answer = self._page.answer(name, request)
        if answer is None:
            raise NotFound(f"there is nothing at {request.url.path!r}; see / and /docs")
        return answer

    def _not_built(self) -> Response:
        try:
            why = self._error.read_text(errors="replace")
        except OSError:
            why = "It was not built when the service was installed.\nBuild it with: python scripts/frontend_build.py"
        body = (
            "<h1>The web page is missing</h1><p>The service itself is running: its API is described at "
            f'<a href="/docs">/docs</a>.</p><pre>{html.escape(why)}</pre>'
        )
        return _plain(body, title="The web page is missing", status=503)


def _plain_docs(request: Request) -> Response:
    """The API's operations as a table, for when Swagger UI was not built either."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(str(operation.get('summary', '')))}</td></tr>"
        for path, operations in request.app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
    body = (
        '<h1>API</h1><p>The whole description is at <a href="/openapi.json">/openapi.json</a>.</p>'
        f"<table>{''.join(rows)}</table>"
    )
    return _plain(body, title="API", status=200)


def _plain(body: str, *, title: str, status: int) -> Response:
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    text = f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'
    headers = {**HEADERS, "Content-Security-Policy": PLAIN_CSP, "Cache-Control": "no-store"}
    return HTMLResponse(text, status_code=status, headers=headers)


router = build_router()
