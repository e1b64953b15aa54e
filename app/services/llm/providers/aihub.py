"""An AI HUB: OpenAI's wire behind Keycloak. What is here is the token: one request for all, renewed ahead of its end.

https://www.rfc-editor.org/rfc/rfc6749 sections 4.3 (password) and 4.4 (client credentials).
"""

import asyncio
from typing import Final

import aiohttp
import msgspec

from app.core.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.core.model_settings import AIHubSettings
from app.services.llm.http import read
from app.services.llm.wire import error_text

TOKEN_PATH: Final = "/protocol/openid-connect/token"  # noqa: S105 - a path
TIMEOUT_S: Final = 10.0
MAX_BODY_BYTES: Final = 1 << 20
RENEW_AT: Final = 0.8  # of a token's life it is renewed beside the requests
MIN_LEFT_S: Final = 5.0  # a token that ends sooner is not sent


class _Answer(msgspec.Struct):
    access_token: str
    expires_in: float = 60.0


def token_url(settings: AIHubSettings) -> str:
    """AIHUB_KEYCLOAK_HOST may be the endpoint itself, a realm's URL, or Keycloak's."""
    host = settings.aihub_keycloak_host or ""
    if host.endswith(TOKEN_PATH):
        return host
    return host + TOKEN_PATH if "/realms/" in host else f"{host}/realms/{settings.aihub_realm}{TOKEN_PATH}"


def grant(settings: AIHubSettings) -> dict[str, str]:
    """The form that asks for a token: as a user when there is one, else as the client itself."""
    form = {"client_id": settings.aihub_client_id}
    if settings.aihub_client_secret is not None:
        form["client_secret"] = settings.aihub_client_secret.get_secret_value()
    if settings.aihub_username is None:
        return form | {"grant_type": "client_credentials"}
    password = settings.aihub_password.get_secret_value() if settings.aihub_password else ""
    return form | {"grant_type": "password", "username": settings.aihub_username, "password": password}


class KeycloakToken:
    """Implements Credentials. However many ask at once, one request is made, and its failure is everybody's."""

    def __init__(self, settings: AIHubSettings) -> None:
        self._url, self._form = token_url(settings), grant(settings)
        self._verify_tls = settings.aihub_verify_ssl
        self._token: str | None = None
        self._renew_at = self._ends_at = 0.0
        self._asking: asyncio.Task[str] | None = None

    async def bearer(self) -> str | None:
        """Raises UpstreamRefused for wrong credentials, another UpstreamError when Keycloak is down."""
        now = asyncio.get_running_loop().time()
        if self._token is None or now >= self._ends_at:
            return await asyncio.shield(self._ask())
        if now >= self._renew_at:
            self._ask()
        return self._token

    def refused(self, bearer: str | None) -> bool:
        if bearer == self._token:
            self._token = None
        return True

    def _ask(self) -> asyncio.Task[str]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._fetch())
            self._asking.add_done_callback(_look_at)
        return self._asking

    async def _fetch(self) -> str:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            async with (
                aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=self._verify_tls)) as client,
                client.post(self._url, data=self._form, allow_redirects=False) as response,
            ):
                body = await read(response.content, MAX_BODY_BYTES)
        except TimeoutError:
            raise UpstreamTimeout(f"Keycloak at {self._url} gave no token within {TIMEOUT_S:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamUnavailable(f"cannot reach Keycloak at {self._url}: {error}") from error
        answer = _token_in(body, response.status, self._url)
        life_s = max(answer.expires_in, 0.0)
        self._token = answer.access_token
        self._ends_at = began + max(life_s - MIN_LEFT_S, life_s / 2)
        self._renew_at = began + life_s * RENEW_AT
        return answer.access_token


def _look_at(asked: "asyncio.Task[str]") -> None:
    """A renewal that failed beside the requests is tried again by the next of them."""
    if not asked.cancelled():
        asked.exception()


def _token_in(body: bytes, status: int, url: str) -> _Answer:
    if status == 429 or status >= 500:
        raise UpstreamUnavailable(f"Keycloak at {url} is failing ({status})")
    if status != 200:
        raise UpstreamRefused(
            f"Keycloak refused the credentials ({status}): {error_text(body)}; check AIHUB_USERNAME, AIHUB_PASSWORD, "
            "AIHUB_CLIENT_ID and AIHUB_CLIENT_SECRET"
        )
    try:
        return msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        raise UpstreamRefused(f"{url} answered without a token: check AIHUB_KEYCLOAK_HOST and AIHUB_REALM") from None
