"""The service that documents are given to: one that runs elsewhere, or one of our own on the data folder.

Both are spoken to over HTTP's interface, the own one without a socket.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.cli.ingest.plan import PageTags, Tags
from app.core import enums
from app.core.errors import (
    AppError,
    DataFolderInUse,
    NotFound,
    RateLimited,
    UpstreamUnavailable,
    ValidationFailed,
    by_code,
)
from app.core.settings import Settings
from app.crud import users
from app.main import Lifespan, State, create_app
from app.observability import logging

API: Final = "/api/v1"
TIMEOUT: Final = httpx.Timeout(600, connect=10)
MAX_WAIT_S: Final = 60.0
File = dict[str, Any]


class Service:
    """What `ingest` asks of a service. Every method raises the AppError that the service answered with."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def known(self, sha256: str) -> File | None:
        """A file of the library with these bytes."""
        return next(iter(await self._files(sha256=sha256)), None)

    async def of_source(self, source: str) -> list[File]:
        """The files that came from there, newest first."""
        return await self._files(source_url=source)

    async def upload(self, path: Path, name: str, source: str) -> File:
        with path.open("rb") as file:
            form = {"file": (name, file, "application/octet-stream")}
            return await self._file("POST", "/files/upload", files=form, data={"source_url": source})

    async def fetch(self, url: str) -> File:
        return await self._file("POST", "/files/url", json={"url": url})

    async def file(self, file_id: str) -> File:
        return await self._file("GET", f"/files/status/{file_id}")

    async def retry(self, file_id: str) -> File:
        return await self._file("POST", f"/files/{file_id}/retry")

    async def delete(self, file_id: str) -> None:
        await self._ask("DELETE", f"/files/{file_id}")

    async def tag(self, file_id: str, tags: Tags, page_tags: Sequence[PageTags]) -> None:
        body = {"tags": tags, "page_tags": [each.model_dump() for each in page_tags]}
        await self._ask("PUT", f"/files/{file_id}/tags", json=body)

    async def collection(self, name: str) -> str:
        """The id of the user's own collection of this name, which is made if it is not there."""
        cursor: str | None = None
        while True:
            page = await self._ask(
                "GET", "/collections", params={"limit": 200} | ({"cursor": cursor} if cursor else {})
            )
            for each in page["items"]:
                if each["name"] == name and each["access"] == "owner":
                    return str(each["id"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return str((await self._ask("POST", "/collections", json={"name": name}))["id"])

    async def collect(self, collection_id: str, file_id: str) -> None:
        await self._ask("PUT", f"/collections/{collection_id}/files/{file_id}")

    async def _file(self, method: str, path: str, **options: Any) -> File:
        file: File = await self._ask(method, path, **options)
        return file

    async def _files(self, **params: str) -> list[File]:
        items: list[File] = (await self._ask("GET", "/files", params={"limit": "50", **params}))["items"]
        return items

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        """Waits while the service says that it is asked too often."""
        waited = 0.0
        while True:
            try:
                answer = await self._http.request(method, API + path, **options)
            except (httpx.HTTPError, OSError) as error:
                raise UpstreamUnavailable(f"{self._http.base_url} cannot be reached: {error}") from error
            if answer.is_success:
                return answer.json() if answer.content else None
            fault = _fault(answer)
            pause_s = fault.retry_after_s or 1.0
            if not isinstance(fault, RateLimited) or waited + pause_s > MAX_WAIT_S or "files" in options:
                raise fault
            waited += pause_s
            await asyncio.sleep(pause_s)


def _fault(answer: httpx.Response) -> AppError:
    wait = answer.headers.get("Retry-After", "")
    try:
        body = answer.json()["error"]
        code, message = str(body["code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        code, message = "", f"{answer.url} answered {answer.status_code}; is that the address of llama-service?"
    return by_code(code)(message, retry_after_s=float(wait) if wait.isdigit() else None)


@asynccontextmanager
async def remote(server: str, key: str) -> AsyncIterator[Service]:
    """A service over the network."""
    if not server.startswith(("http://", "https://")):
        raise ValidationFailed(f"--server {server!r} is no address such as http://127.0.0.1:8000")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.rstrip("/"), headers=headers, timeout=TIMEOUT) as http:
        service = Service(http)
        await service.known("0" * 64)  # a wrong address or key is told before any work
        yield service


@asynccontextmanager
async def local(username: str | None) -> AsyncIterator[Service]:
    """A service of our own on DATA_DIR, for one user. Raises NotFound, ValidationFailed when another one runs there."""
    settings = await asyncio.to_thread(Settings.load)
    settings = replace(settings, server=settings.server.model_copy(update={"rate_limit_enabled": False}))
    level = "DEBUG" if settings.server.log_level == "DEBUG" else "WARNING"
    settings = replace(settings, server=settings.server.model_copy(update={"log_level": level, "log_format": "text"}))
    app = create_app(settings)
    logging.configure(level, "text")
    try:
        async with Lifespan(settings)() as state:
            name = username or settings.auth.admin_username
            async with _signed_in(state, name) as key:
                transport = httpx.ASGITransport(app=_with_state(app, state))
                headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://local", headers=headers, timeout=TIMEOUT
                ) as http:
                    yield Service(http)
    except DataFolderInUse:
        raise ValidationFailed(
            f"a service is running on {str(settings.storage.data_dir)!r}: give the documents to it with --server "
            f"http://127.0.0.1:{settings.server.port} and --key; `llama-service admin key --scope files` makes one"
        ) from None


@asynccontextmanager
async def _signed_in(state: State, username: str) -> AsyncIterator[SecretStr]:
    """A key of the user that ends with this command."""
    user = await state["db"].query(partial(users.by_username, username=username))
    if user is None:
        raise NotFound(f"there is no user {username!r}; name one with --user, or make one with `llama-service admin`")
    keys = state["keys"]
    name = f"ingest {uuid4().hex[:12]}"
    made = await keys.create(user.id, name=name, scopes=[enums.Scope.FILES], expires_in_days=30)
    try:
        yield SecretStr(made.text)
    finally:
        await keys.revoke(user.id, made.row.id)


def _with_state(app: ASGIApp, state: Mapping[str, Any]) -> ASGIApp:
    """The app as a server would run it: each request finds what the lifespan built."""

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    return served
