"""The hub's token: one request for all, renewed ahead, replaced once when it is refused, told plainly when it fails."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from app.core.errors import UpstreamRefused, UpstreamUnavailable
from app.core.model_settings import AIHubSettings
from app.services.llm.base import Generation, Turn
from app.services.llm.http import Http
from app.services.llm.providers.aihub import KeycloakToken
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible
from tests.fakes.keycloak import Keycloak, keycloak
from tests.fakes.upstream import Upstream
from tests.processes import free_port

HELLO = Generation([Turn("user", "hello")], model="fake-n3")


def settings(url: str, **changes: object) -> AIHubSettings:
    given = {"aihub_url": "http://127.0.0.1/v1", "aihub_keycloak_host": url, "aihub_realm": "team", **changes}
    return AIHubSettings(_env_file=None, **given)  # type: ignore[arg-type]


@pytest.fixture
def hub() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@asynccontextmanager
async def provider(hub: Upstream, token: KeycloakToken) -> AsyncIterator[OpenAICompatible]:
    opened = OpenAICompatible("aihub", Endpoint(hub.url), credentials=token, http=Http())
    try:
        yield opened
    finally:
        await opened.aclose()


async def chat(opened: OpenAICompatible) -> int:
    return sum([len(delta.text.split()) async for delta in opened.stream(HELLO)])


async def test_fifty_chats_make_one_request(hub: Upstream) -> None:
    async with keycloak(pause_s=0.05) as fake, provider(hub, KeycloakToken(settings(fake.url))) as opened:
        assert await asyncio.gather(*(chat(opened) for _ in range(50))) == [3] * 50
        assert len(fake.forms) == 1
    assert set(hub.stats.authorization) == {"Bearer token-1"}


SIGN_IN = {"aihub_username": "ann", "aihub_password": "s3cret", "aihub_client_id": "app"}


@pytest.mark.parametrize(
    ("changes", "form"),
    [
        (SIGN_IN, {"grant_type": "password", "username": "ann", "password": "s3cret", "client_id": "app"}),
        (
            {"aihub_client_id": "app", "aihub_client_secret": "x"},
            {"grant_type": "client_credentials", "client_id": "app", "client_secret": "x"},
        ),
    ],
    ids=["password", "client credentials"],
)
async def test_grants(changes: dict[str, object], form: dict[str, str]) -> None:
    async with keycloak() as fake:
        assert await KeycloakToken(settings(fake.url, **changes)).bearer() == "token-1"
        assert fake.forms == [form]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("", "/realms/team/protocol/openid-connect/token"),
        ("/auth", "/auth/realms/team/protocol/openid-connect/token"),
        ("/realms/other", "/realms/other/protocol/openid-connect/token"),
        ("/realms/x/protocol/openid-connect/token", "/realms/x/protocol/openid-connect/token"),
    ],
)
async def test_the_endpoint_is_found_from_any_of_its_urls(path: str, asked: str) -> None:
    async with keycloak() as fake:
        await KeycloakToken(settings(fake.url + path)).bearer()
        assert fake.routes == [f"POST {asked}"]


async def test_it_is_renewed_beside_the_requests() -> None:
    async with keycloak(life_s=0.5) as fake:
        token = KeycloakToken(settings(fake.url))
        assert await token.bearer() == "token-1"
        assert await token.bearer() == "token-1"
        assert len(fake.forms) == 1
        await asyncio.sleep(0.3)  # half of its life is over: a short-lived one is not sent any more
        assert await token.bearer() == "token-2"


async def test_a_refused_token_is_replaced_once(hub: Upstream) -> None:
    hub.bearer = "token-2"
    async with keycloak() as fake, provider(hub, KeycloakToken(settings(fake.url))) as opened:
        assert await chat(opened) == 3
        assert len(fake.forms) == 2
        hub.bearer = "another"
        with pytest.raises(UpstreamRefused, match="refused the key"):
            await chat(opened)
        assert len(fake.forms) == 3


async def test_fifty_refused_chats_make_one_request_more(hub: Upstream) -> None:
    async with keycloak(pause_s=0.05) as fake, provider(hub, KeycloakToken(settings(fake.url))) as opened:
        await chat(opened)
        hub.bearer = "token-2"
        assert await asyncio.gather(*(chat(opened) for _ in range(50))) == [3] * 50
        assert len(fake.forms) == 2


async def test_wrong_credentials() -> None:
    async with keycloak(status=401) as fake:
        with pytest.raises(UpstreamRefused, match=r"refused the credentials \(401\): invalid_grant.*AIHUB_USERNAME"):
            await KeycloakToken(settings(fake.url)).bearer()


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_keycloak_is_failing(status: int) -> None:
    async with keycloak(status=status) as fake:
        with pytest.raises(UpstreamUnavailable, match=f"failing \\({status}\\)"):
            await KeycloakToken(settings(fake.url)).bearer()


async def test_keycloak_is_down_and_comes_back(hub: Upstream) -> None:
    async with keycloak() as fake:
        token = KeycloakToken(settings(fake.url))
        fake.status = 500
        with pytest.raises(UpstreamUnavailable):
            await token.bearer()
        fake.status = 200
        assert await token.bearer() == "token-2"
    down = KeycloakToken(settings(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(UpstreamUnavailable, match="cannot reach Keycloak"):
        await down.bearer()


async def test_an_answer_without_a_token() -> None:
    async with keycloak(body={"hello": 1}) as fake:
        with pytest.raises(UpstreamRefused, match="without a token"):
            await KeycloakToken(settings(fake.url)).bearer()


async def test_one_who_gives_up_does_not_take_the_token_from_the_others() -> None:
    async with keycloak(pause_s=0.1) as fake:
        token = KeycloakToken(settings(fake.url))
        asking = [asyncio.create_task(token.bearer()) for _ in range(3)]
        await asyncio.sleep(0.02)
        asking[0].cancel()
        assert await asyncio.gather(*asking[1:]) == ["token-1"] * 2


async def test_models_with_the_token(hub: Upstream) -> None:
    async with keycloak() as fake, provider(hub, KeycloakToken(settings(fake.url))) as opened:
        assert "fake-n20" in [model.name for model in await opened.models()]
        assert len(fake.forms) == 1


def test_nothing_secret_is_shown() -> None:
    shown = repr(settings("http://h", aihub_password="s3cret", aihub_client_secret="topsecret"))
    assert "s3cret" not in shown
    assert "topsecret" not in shown


def test_type_of_the_fake() -> None:
    assert Keycloak().token == "token-0"
