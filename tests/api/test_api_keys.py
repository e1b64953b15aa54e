"""API keys over HTTP: made and shown once, listed, used, revoked; and keys that nobody made."""

import asyncio
import re
from datetime import datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from tests.api.people import Person
from tests.chats import Chat, check
from tests.conftest import Serve
from tests.fakes.upstream import Upstream
from tests.service import Service

KEYS = "/api/v1/auth/keys"
FORM = re.compile(r"sk_([0-9a-f]{32})_([\w-]{43})", re.ASCII)
MADE_UP = f"sk_{uuid4().hex}_{'x' * 43}"


def bearer(key: str) -> dict[str, bytes]:
    return {"Authorization": b"Bearer " + key.encode()}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def files(client: httpx.AsyncClient, key: str) -> httpx.Response:
    return await client.get("/api/v1/files", headers=bearer(key))


async def listed(person: Person) -> dict[str, dict[str, object]]:
    answer = await person.http.get(KEYS)
    assert answer.status_code == 200, answer.text
    assert answer.json()["next_cursor"] is None
    return {item["name"]: item for item in answer.json()["items"]}


async def test_key_is_shown_once_and_listed_without_its_secret(person: Person) -> None:
    answer = await person.http.post(KEYS, json={"name": "laptop", "scopes": ["files", "chat"], "expires_in_days": 30})
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json()
    assert set(made) == {"id", "name", "scopes", "key", "created_at", "expires_at"}
    assert (made["name"], made["scopes"]) == ("laptop", ["chat", "files"])
    parts = FORM.fullmatch(made["key"])
    assert parts is not None
    assert parts[1] == made["id"].replace("-", "")
    created, expires = (datetime.fromisoformat(made[name]) for name in ("created_at", "expires_at"))
    assert abs(expires - created - timedelta(days=30)) < timedelta(minutes=1)

    second = (await person.http.post(KEYS, json={"name": "build", "scopes": None})).json()
    assert (second["scopes"], second["expires_at"]) == (["openai"], None)
    items = await listed(person)
    assert list(items) == ["build", "laptop"]
    assert items["laptop"] == {
        **{name: made[name] for name in ("id", "name", "scopes", "created_at", "expires_at")},
        "prefix": f"{made['key'][:9]}…",
        "last_used_at": None,
    }
    assert parts[2] not in (await person.http.get(KEYS)).text


async def test_key_signs_in_by_either_header(person: Person, anybody: httpx.AsyncClient) -> None:
    key = await person.key("files")
    assert (await files(anybody, key)).json() == {"items": [], "next_cursor": None}
    for headers in (
        {"X-API-Key": key},
        {"Authorization": f"bEARER {key}"},
        {"X-API-Key": key, "Authorization": "Basic YTpi"},
        {"X-API-Key": MADE_UP, "Authorization": f"Bearer {key}"},
    ):
        answer = await anybody.get("/api/v1/files", headers=headers)
        assert answer.status_code == 200, (headers, answer.text)
    token = person.http.headers["Authorization"].removeprefix("Bearer ")
    assert code(await anybody.get("/api/v1/files", headers={"X-API-Key": token})) == (401, "not_authenticated")


async def test_use_is_noted(person: Person, anybody: httpx.AsyncClient) -> None:
    key = await person.key("files", name="used")
    await person.key("files", name="unused")
    assert (await files(anybody, key)).status_code == 200
    for _ in range(3000):
        if (found := await listed(person))["used"]["last_used_at"] is not None:
            break
    assert found["unused"]["last_used_at"] is None
    assert str(found["used"]["last_used_at"]) >= str(found["used"]["created_at"])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": " "},
        {"name": "x "},
        {"name": "x\n"},
        {"name": "a\0b"},
        {"name": "x" * 65},
        {"name": 1},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["admin"]},
        {"name": "x", "scopes": "files"},
        {"name": "x", "scopes": ["files"] * 21},
        {"name": "x", "expires_in_days": 0},
        {"name": "x", "expires_in_days": 366},
        {"name": "x", "expires_in_days": 1e99},
        {"name": "x", "expires_at": "2030-01-01"},
    ],
    ids=str,
)
async def test_keys_that_are_refused(person: Person, body: dict[str, object]) -> None:
    assert code(await person.http.post(KEYS, json=body)) == (422, "validation_error")
    assert await listed(person) == {}


async def test_name_is_free_again_when_its_key_is_revoked(person: Person, stranger: Chat) -> None:
    first = (await person.http.post(KEYS, json={"name": "ключ 🔑"})).json()
    taken = await person.http.post(KEYS, json={"name": "ключ 🔑"})
    assert code(taken) == (409, "conflict")
    assert "'ключ 🔑'" in taken.json()["error"]["message"]
    assert (await stranger.http.post(KEYS, json={"name": "ключ 🔑"})).status_code == 201
    assert (await person.http.delete(f"{KEYS}/{first['id']}")).status_code == 204
    assert (await person.http.post(KEYS, json={"name": "ключ 🔑"})).status_code == 201


async def test_fifty_keys_are_allowed(person: Person) -> None:
    for number in range(50):
        assert (await person.http.post(KEYS, json={"name": f"key {number}"})).status_code == 201
    refused = await person.http.post(KEYS, json={"name": "one more"})
    assert code(refused) == (409, "conflict")
    assert "50 are allowed" in refused.json()["error"]["message"]
    items = await listed(person)
    assert len(items) == 50
    assert (await person.http.delete(f"{KEYS}/{items['key 7']['id']}")).status_code == 204
    assert (await person.http.post(KEYS, json={"name": "one more"})).status_code == 201


async def test_revoked_key_is_refused_at_once(person: Person, anybody: httpx.AsyncClient) -> None:
    key = await person.key("files", name="gone")
    other = await person.key("files")
    assert (await files(anybody, key)).status_code == 200
    address = f"{KEYS}/{(await listed(person))['gone']['id']}"
    answer = await person.http.delete(address)
    assert (answer.status_code, answer.content) == (204, b"")
    refused = await files(anybody, key)
    assert code(refused) == (401, "not_authenticated")
    assert "was revoked" in refused.json()["error"]["message"]
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert (await files(anybody, other)).status_code == 200
    assert "gone" not in await listed(person)
    assert code(await person.http.delete(address)) == (404, "not_found")
    assert code(await person.http.delete(f"{KEYS}/{uuid4()}")) == (404, "not_found")
    assert code(await person.http.delete(f"{KEYS}/x")) == (422, "validation_error")


async def test_stream_goes_on_when_its_key_is_revoked(person: Person, chatting: Service) -> None:
    key = await person.key("chat", name="streaming")
    async with chatting.client(headers=bearer(key)) as client:
        chat = Chat(client)
        async with chat.open("go on", model="fake-n60-d10") as tail:
            await tail.until("delta", 3)
            address = f"{KEYS}/{(await listed(person))['streaming']['id']}"
            assert (await person.http.delete(address)).status_code == 204
            frames = await tail.rest()
        check(frames)
        assert frames[-1].data["finish_reason"] == "stop"
        assert code(await chat.ask("again", model="fake-n1")) == (401, "not_authenticated")
        assert (await client.get(f"/api/v1/chat/runs/{tail.run_id}/events")).status_code == 401
    assert len(await Chat(person.http).messages(frames[0].data["conversation_id"])) == 2


@pytest.mark.parametrize("route", ["register", "login", "refresh", "logout"])
async def test_key_neither_signs_in_nor_out(person: Person, anybody: httpx.AsyncClient, route: str) -> None:
    key = await person.key("chat", "files", "stats", "models", "openai")
    body = {"username": uuid4().hex, "password": "a long password", "refresh_token": "x"}
    fields = ("refresh_token",) if route in {"refresh", "logout"} else ("username", "password")
    sent = {name: body[name] for name in fields}
    for headers in (bearer(key), {"X-API-Key": key}):
        refused = await anybody.post(f"/api/v1/auth/{route}", json=sent, headers=headers)
        assert code(refused) == (403, "forbidden")
        assert "sign in with a password" in refused.json()["error"]["message"]


FORGED = {
    "nothing behind the prefix": "sk_",
    "no secret": f"sk_{uuid4().hex}",
    "empty secret": f"sk_{uuid4().hex}_",
    "unknown": MADE_UP,
    "ten kilobytes": MADE_UP + "x" * 10_000,
    "ten kilobytes of id": f"sk_{'a' * 10_000}_{'x' * 43}",
    "another alphabet": f"sk_{uuid4().hex}_{'ж' * 43}",
    "digits of another script": f"sk_{'٣' * 32}_{'x' * 43}",
    "half a token": "sk_eyJhbGciOiJIUzI1NiJ9.e30.AA",
    "upper case": MADE_UP.upper(),
    "upper case id": f"sk_{'A' * 32}_{'x' * 43}",
    "spaces": f"{MADE_UP} x",
    "SQL": "sk_' OR 1=1 --",
    "another service's": "sk-proj-abcdefghijklmnop",
}


@pytest.mark.parametrize("what", FORGED)
async def test_key_that_nobody_made(anybody: httpx.AsyncClient, what: str) -> None:
    for headers in (bearer(FORGED[what]), {"X-API-Key": FORGED[what].encode()}):
        refused = await anybody.get("/api/v1/files", headers=headers)
        assert code(refused) == (401, "not_authenticated")


async def test_key_with_another_secret_or_id(person: Person, anybody: httpx.AsyncClient) -> None:
    one, other = FORM.fullmatch(await person.key("files")), FORM.fullmatch(await person.key("files"))
    assert one is not None
    assert other is not None
    said = set()
    for forged in (f"sk_{one[1]}_{other[2]}", f"sk_{one[1]}_{one[2][:-1]}.", f"sk_{uuid4().hex}_{one[2]}"):
        answer = await files(anybody, forged)
        assert code(answer) == (401, "not_authenticated")
        said.add(answer.json()["error"]["message"])
    assert len(said) == 2, "whether an id is known is not told"
    assert (await files(anybody, one[0])).status_code == 200


async def test_key_with_a_nul_is_no_request(person: Person, chatting: Service) -> None:
    """The server refuses it before the application sees it; nothing breaks."""
    key = await person.key("files")
    reader, writer = await asyncio.open_connection("127.0.0.1", chatting.port)
    writer.write(f"GET /api/v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\0\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_no_key_is_ever_logged(serve: Serve, upstream: Upstream) -> None:
    service = serve(LOG_LEVEL="DEBUG", OPENAI_BASE_URL=upstream.url)
    person = await Person.of(service)
    key = await person.key("chat", "files")
    secret = key[36:]
    async with service.client(headers=bearer(key)) as client:
        assert (await client.get("/api/v1/files")).status_code == 200
        assert (await Chat(client).ask("hello", model="fake-n2")).status_code == 200
        assert (await client.get("/api/v1/stats/user")).status_code == 403
        assert (await client.get(f"/api/v1/files?key={key}")).status_code == 200
        assert (await client.get(f"/api/v1/files/{key}")).status_code == 422
        assert (await client.get(f"/api/v1/nowhere/{key}")).status_code == 404
    async with service.client() as client:
        assert (await client.get("/api/v1/files", headers={"X-API-Key": f"{key}x"})).status_code == 401
        assert (await client.post("/api/v1/auth/refresh", json={"refresh_token": key})).status_code == 401
    await person.aclose()
    assert service.stop() == 0
    assert '"level":"DEBUG"' in service.log() or "/api/v1/files" in service.log()
    assert secret not in service.log()
    assert secret.encode() not in (service.data_dir / "rows.db").read_bytes()
