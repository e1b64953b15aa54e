"""Accounts over HTTP: register, sign in, stay signed in, sign out; and tokens that nobody issued."""

import asyncio
import json
import re
import stat
from uuid import uuid4

import httpx
import pytest

from tests.api import forgery
from tests.conftest import Serve
from tests.service import Service

AUTH = "/api/v1/auth"
PASSWORD = "correct horse"
SAMPLE = forgery.sign(forgery.HEADER, {"sub": "x", "sid": "x", "exp": 1, "iat": 1}, "k")


def name() -> str:
    return f"u{uuid4().hex[:20]}"


def bearer(token: str) -> dict[str, bytes]:
    return {"Authorization": b"Bearer " + token.encode()}


async def register(client: httpx.AsyncClient, username: str, **more: object) -> httpx.Response:
    return await client.post(f"{AUTH}/register", json={"username": username, "password": PASSWORD, **more})


async def login(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> dict[str, str]:
    answer = await client.post(f"{AUTH}/login", json={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def refresh(client: httpx.AsyncClient, tokens: dict[str, str]) -> httpx.Response:
    return await client.post(f"{AUTH}/refresh", json={"refresh_token": tokens["refresh_token"]})


async def me(client: httpx.AsyncClient, tokens: dict[str, str]) -> int:
    return (await client.get(f"{AUTH}/me", headers=bearer(tokens["access_token"]))).status_code


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
async def tokens(anybody: httpx.AsyncClient) -> dict[str, str]:
    """A new user's, just signed in."""
    username = name()
    await register(anybody, username)
    return await login(anybody, username)


@pytest.fixture(scope="module")
async def forged(chatting: Service) -> dict[str, str]:
    """Made with the service's own key, of a token that works."""
    async with chatting.client() as client:
        username = name()
        await register(client, username)
        tokens = await login(client, username)
        assert await me(client, tokens) == 200
    return forgery.tokens(tokens["access_token"], (chatting.data_dir / "jwt.key").read_text())


async def test_a_new_account_and_its_sign_in(anybody: httpx.AsyncClient) -> None:
    username = name()
    made = await register(anybody, username, email=f"{username}@Example.org")
    assert made.status_code == 201
    user = made.json()
    assert user == {
        "id": user["id"],
        "created_at": user["created_at"],
        "username": username,
        "email": f"{username}@example.org",
        "role": "user",
    }
    assert user["created_at"].endswith("Z")
    tokens = await login(anybody, username.upper())
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 1800)
    assert (await anybody.get(f"{AUTH}/me", headers=bearer(tokens["access_token"]))).json() == user


async def test_login_takes_json_and_forms(anybody: httpx.AsyncClient) -> None:
    username = name()
    await register(anybody, username)
    fields = {"username": username, "password": PASSWORD}
    oauth2 = {**fields, "grant_type": "password", "scope": "", "client_id": "x"}
    parts = {name: (None, value) for name, value in fields.items()}
    for sent in ({"json": fields}, {"data": fields}, {"data": oauth2}, {"files": parts}):
        answer = await anybody.post(f"{AUTH}/login", **sent)  # type: ignore[arg-type]
        assert answer.status_code == 200, (sent, answer.text)


@pytest.mark.parametrize("username", ["a", ".", "..", "-_-", "0", "admin.2", "x" * 64])
async def test_usernames_that_are_allowed(anybody: httpx.AsyncClient, username: str) -> None:
    assert (await register(anybody, username)).status_code in {201, 409}


@pytest.mark.parametrize(
    "username",
    ["", " ", "a b", "a\n", "\na", "ann\0", "ann@example.org", "<b>", "../x", "ä", "аnn", "ann\u200b", "x" * 65, "👤"],
)
async def test_usernames_that_are_refused(anybody: httpx.AsyncClient, username: str) -> None:
    answer = await register(anybody, username)
    assert code(answer) == (422, "validation_error")
    assert answer.json()["error"]["message"].startswith("username: use 1 to 64 letters, digits")


@pytest.mark.parametrize(
    "email", ["", "x", "@", "a@", "@b", "a b@c", "a@b@c", "a\0@b", "a@b\n", "x" * 65 + "@b", "İ" * 60 + "@" + "İ" * 180]
)
async def test_addresses_that_are_refused(anybody: httpx.AsyncClient, email: str) -> None:
    answer = await register(anybody, name(), email=email)
    assert code(answer) == (422, "validation_error")
    assert "ann@example.org" in answer.json()["error"]["message"]


async def test_what_is_taken_is_named(anybody: httpx.AsyncClient) -> None:
    username, email = name(), f"{name()}@example.org"
    await register(anybody, username, email=email)
    for field, answer in (
        ("username", await register(anybody, username.upper())),
        ("email", await register(anybody, name(), email=email.upper())),
    ):
        assert code(answer) == (409, "conflict")
        assert answer.json()["error"]["details"] == {"field": field}


@pytest.mark.parametrize("password", ["x" * 256, "        ", "pässwörd 🔑", "'; DROP TABLE users; --"])
async def test_passwords_that_are_allowed(anybody: httpx.AsyncClient, password: str) -> None:
    username = name()
    assert (await register(anybody, username, password=password)).status_code == 201
    assert await login(anybody, username, password)
    wrong = await anybody.post(f"{AUTH}/login", json={"username": username, "password": password[:-1]})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 257, "x" * 500_000, "longer\0than8", None, 12345678, ["x" * 8]]
)
async def test_passwords_that_are_refused(anybody: httpx.AsyncClient, password: object) -> None:
    answer = await register(anybody, name(), password=password)
    assert code(answer) == (422, "validation_error")
    assert answer.json()["error"]["message"].startswith("password: ")


async def test_wrong_password_and_unknown_user_get_the_same_answer(anybody: httpx.AsyncClient) -> None:
    username = name()
    await register(anybody, username)
    said = set()
    for asked, password in ((username, "wrong password"), (name(), PASSWORD), ("no such name!", "x"), (username, "")):
        answer = await anybody.post(
            f"{AUTH}/login", json={"username": asked, "password": password}, headers={"X-Request-ID": "same"}
        )
        assert code(answer) == (401, "not_authenticated")
        said.add(answer.text)
    assert len(said) == 1


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {"username": "ann"}},
        {"json": {"username": "ann", "password": "x", "more": 1}},
        {"json": {"username": "a\0", "password": "x"}},
        {"json": {"username": 1, "password": None}},
        {"json": []},
        {"json": {"username": "x" * 255, "password": "x"}},
        {"json": {"username": "ann", "password": "x" * 257}},
        {"content": b""},
        {"content": b"{"},
        {"content": b"\xff"},
        {"content": b'{"username": "\\ud800", "password": "x"}'},
        {"content": b"[" * 100_000},
        {"data": {"username": "ann"}},
        {"data": {"username": "a\0", "password": "x"}},
        {"data": {f"field{number}": "x" for number in range(100)}},
        {"files": {"username": ("a.txt", b"ann"), "password": (None, "x")}},
        {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data"}},
        {"content": b"nonsense", "headers": {"Content-Type": "multipart/form-data; boundary=b"}},
    ],
    ids=str,
)
async def test_login_that_cannot_be_read(anybody: httpx.AsyncClient, sent: dict[str, object]) -> None:
    assert code(await anybody.post(f"{AUTH}/login", **sent)) == (422, "validation_error")  # type: ignore[arg-type]


async def test_refresh_rotates_and_reuse_ends_the_sign_in(anybody: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    answer = await refresh(anybody, tokens)
    assert answer.status_code == 200
    fresh = answer.json()
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert [await me(anybody, pair) for pair in (tokens, fresh)] == [200, 200]
    assert code(await refresh(anybody, tokens)) == (401, "not_authenticated")
    assert [await me(anybody, pair) for pair in (tokens, fresh)] == [401, 401]
    assert code(await refresh(anybody, fresh)) == (401, "not_authenticated")


async def test_of_two_refreshes_at_once_one_wins(anybody: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    answers = await asyncio.gather(*(refresh(anybody, tokens) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]
    assert await me(anybody, tokens) == 401


async def test_logout_ends_everything_at_once(anybody: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    assert await me(anybody, tokens) == 200
    answer = await anybody.post(f"{AUTH}/logout", json={"refresh_token": tokens["refresh_token"]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await me(anybody, tokens) == 401
    assert code(await refresh(anybody, tokens)) == (401, "not_authenticated")
    again = await anybody.post(f"{AUTH}/logout", json={"refresh_token": tokens["refresh_token"]})
    assert again.status_code == 204


@pytest.mark.parametrize("route", ["refresh", "logout"])
@pytest.mark.parametrize("body", [{}, {"refresh_token": None}, {"refresh_token": "x" * 201}, {"refresh_token": "a\0"}])
async def test_refresh_tokens_that_are_none(anybody: httpx.AsyncClient, route: str, body: dict[str, object]) -> None:
    assert code(await anybody.post(f"{AUTH}/{route}", json=body)) == (422, "validation_error")


@pytest.mark.parametrize("what", forgery.tokens(SAMPLE, "k"))
async def test_forged_token(anybody: httpx.AsyncClient, forged: dict[str, str], what: str) -> None:
    answer = await anybody.get(f"{AUTH}/me", headers=bearer(forged[what]))
    assert code(answer) == (401, "not_authenticated"), what
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert set(answer.json()["error"]) == {"code", "message", "details", "request_id"}
    assert answer.json()["error"]["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic YTpi", "Bearer a b", "Token x"])
async def test_header_without_a_token(anybody: httpx.AsyncClient, header: str | None) -> None:
    answer = await anybody.get(f"{AUTH}/me", headers={} if header is None else {"Authorization": header})
    assert code(answer) == (401, "not_authenticated")


async def test_scheme_is_read_in_any_case(anybody: httpx.AsyncClient, tokens: dict[str, str]) -> None:
    answer = await anybody.get(f"{AUTH}/me", headers={"Authorization": f"bEARER {tokens['access_token']}"})
    assert answer.status_code == 200


async def test_first_start_makes_the_administrator_and_shows_the_password_once(serve: Serve) -> None:
    service = serve(ADMIN_PASSWORD="", ADMIN_USERNAME="chief")
    shown = re.findall(
        r"^Administrator 'chief' was made, password: (\S+) \(shown only now\)$", service.log(), re.MULTILINE
    )
    assert len(shown) == 1
    async with service.client() as client:
        first = await register(client, "first")
        assert first.json()["role"] == "user"
        tokens = await login(client, "chief", shown[0])
        answer = await client.get(f"{AUTH}/me", headers=bearer(tokens["access_token"]))
        assert answer.json()["role"] == "admin"
        assert service.stop() == 0
        service.start()
        assert await me(client, tokens) == 200
        assert await login(client, "chief", shown[0])
    lines = service.log().splitlines()
    assert sum(shown[0] in line for line in lines) == 1
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    assert logged
    assert shown[0] not in json.dumps(logged)
    assert PASSWORD not in service.log()
    assert stat.S_IMODE((service.data_dir / "jwt.key").stat().st_mode) == 0o600


async def test_closed_registration_and_the_throttle(serve: Serve) -> None:
    service = serve(REGISTRATION="closed", RATE_LIMIT_ENABLED="true", ADMIN_PASSWORD=PASSWORD)
    async with service.client() as client:
        assert code(await register(client, "ann")) == (403, "forbidden")
        wrong = {"username": "admin", "password": "wrong password"}
        assert [(await client.post(f"{AUTH}/login", json=wrong)).status_code for _ in range(11)] == [401] * 10 + [429]
        refused = await client.post(f"{AUTH}/login", json={**wrong, "password": PASSWORD})
        assert code(refused) == (429, "rate_limited")
        assert refused.headers["Retry-After"] == "300"
        other = await client.post(f"{AUTH}/login", json={**wrong, "username": "another"})
        assert code(other) == (401, "not_authenticated")
