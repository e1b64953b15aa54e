"""A service that a command speaks to over HTTP: one that runs elsewhere, or one of our own on the data folder.

The own one is asked by the same requests, without a socket.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final
from uuid import uuid4

import httpx
from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.api.state import State
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
from app.main import Lifespan, create_app

API: Final = "/api/v1"
TIMEOUT: Final = httpx.Timeout(600, connect=10)
MAX_WAIT_S: Final = 60.0


class Connection:
    """Asks routes of the API as one user."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        """The answer's JSON. Waits while it is asked too often. Raises the AppError that the service answered with."""
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
async def connected(server: str | None, key: str | None, user: str | None) -> AsyncIterator[Connection]:
    """To a service over the network, as whoever the key speaks for; without `server` to one on DATA_DIR, as `user`."""
    async with _remote(server, key or "") if server is not None else _local(user) as connection:
        yield connection


@asynccontextmanager
async def _remote(server: str, key: str) -> AsyncIterator[Connection]:
    if not server.startswith(("http://", "https://")):
        raise ValidationFailed(f"--server {server!r} is no address such as http://127.0.0.1:8000")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=server.rstrip("/"), headers=headers, timeout=TIMEOUT) as http:
        connection = Connection(http)
        await connection.ask("GET", "/files", params={"limit": "1"})  # a wrong address or key is told before any work
        yield connection


@asynccontextmanager
async def _local(username: str | None) -> AsyncIterator[Connection]:
    """Raises NotFound for the user, ValidationFailed when a service runs on DATA_DIR."""
    settings = await asyncio.to_thread(Settings.load)
    level = "DEBUG" if settings.server.log_level == "DEBUG" else "WARNING"
    settings = replace(
        settings,
        server=settings.server.model_copy(update={"log_level": level, "log_format": "text"}),
        auth=settings.auth.model_copy(update={"rate_limit_enabled": False}),
    )
    app = create_app(settings)
    try:
        async with Lifespan(settings)() as state:
            name = username or settings.auth.admin_username
            async with _signed_in(state, name) as key:
                transport = httpx.ASGITransport(app=_with_state(app, state))
                headers = {"Authorization": f"Bearer {key.get_secret_value()}"}
                async with httpx.AsyncClient(
                    transport=transport, base_url="http://local", headers=headers, timeout=TIMEOUT
                ) as http:
                    yield Connection(http)
    except DataFolderInUse:
        raise ValidationFailed(
            f"a service is running on {str(settings.storage.data_dir)!r}: speak to it with --server "
            f"http://127.0.0.1:{settings.server.port} and --key; `llama-service admin key --scope files` makes one"
        ) from None


@asynccontextmanager
async def _signed_in(state: State, username: str) -> AsyncIterator[SecretStr]:
    """A key of the user that ends with this command."""
    user = await state["db"].query(partial(users.by_username, username=username))
    if user is None:
        raise NotFound(f"there is no user {username!r}; name one with --user, or make one with `llama-service admin`")
    keys = state["keys"]
    name = f"command {uuid4().hex[:12]}"
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
