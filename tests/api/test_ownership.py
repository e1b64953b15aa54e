"""Every route of the application, called by somebody whom the things in it do not belong to, and by nobody at all.

The routes come from the application's own OpenAPI document: a new one is covered at once, or a test fails and names it.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api import health, router
from tests.api.people import Person
from tests.chats import Chat
from tests.service import Service

METHODS = ("get", "post", "put", "patch", "delete")
PUBLIC = {
    *("POST /api/v1/auth/register", "POST /api/v1/auth/login", "POST /api/v1/auth/refresh", "POST /api/v1/auth/logout"),
    *("GET /health", "GET /ready", "GET /metrics"),
}
# Path parameters that name something that belongs to a user, and those that only say which part of it.
IDS = {"conversation_id", "message_id", "run_id", "file_id", "key_id", "golden_id", "collection_id", "share_id"}
PARTS = {"number": "1", "name": "model", "model": "any"}
# What is everybody's, and so is not named by a parameter of its route.
SHARED = {"GET /v1/models/{model}"}
# What belongs to nobody and is looked after by administrators alone: everybody else gets 403.
ADMIN_ONLY = {
    *("POST /api/v1/models/pull", "GET /api/v1/models/pulls"),
    *("GET /api/v1/index", "POST /api/v1/index/rebuild", "POST /api/v1/index/check", "DELETE /api/v1/index/rebuild"),
    *("DELETE /api/v1/models/pulls/{name}", "DELETE /api/v1/models/local/{name}"),
}
# A good body for each route that needs one, so that nothing but the owner is wrong with the request.
BODIES: dict[str, dict[str, object]] = {
    "PATCH /api/v1/conversations/{conversation_id}": {"title": "mine now"},
    "PUT /api/v1/chat/messages/{message_id}/feedback": {"rating": -1},
    "POST /api/v1/models/pull": {"name": "/nowhere/model.gguf"},
    "PUT /api/v1/files/{file_id}/tags": {"tags": {"grade": "5"}},
    "PATCH /api/v1/collections/{collection_id}": {"name": "mine now"},
    "POST /api/v1/collections/{collection_id}/shares": {"username": None},
}


@dataclass(frozen=True)
class Route:
    method: str
    path: str
    parameters: tuple[str, ...]
    has_body: bool

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def filled(self, ids: dict[str, str]) -> str:
        return self.path.format(**{name: {**PARTS, **ids}[name] for name in self.parameters})


def documented() -> list[Route]:
    app = FastAPI()
    router.include(app)
    app.include_router(health.router)
    document: dict[str, Any] = app.openapi()
    return [
        Route(
            method.upper(),
            path,
            tuple(p["name"] for p in operation.get("parameters", []) if p["in"] == "path"),
            operation.get("requestBody", {}).get("required", False),
        )
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


ROUTES = documented()
OWNED = [route for route in ROUTES if route.parameters and str(route) not in ADMIN_ONLY | SHARED]
PRIVATE = [route for route in ROUTES if str(route) not in PUBLIC]
# Removal comes last: all the others need the things to be there.
ORDERED = sorted(OWNED, key=lambda route: (route.method == "DELETE", route.path))


@pytest.fixture(scope="module")
async def ann(chatting: Service) -> AsyncIterator[Person]:
    person = await Person.of(chatting)
    yield person
    await person.aclose()


@pytest.fixture(scope="module")
async def bob(chatting: Service) -> AsyncIterator[Person]:
    person = await Person.of(chatting)
    yield person
    await person.aclose()


@pytest.fixture(scope="module")
async def reader(chatting: Service) -> AsyncIterator[Person]:
    """Somebody with whom Ann has shared her collection."""
    person = await Person.of(chatting)
    yield person
    await person.aclose()


@pytest.fixture(scope="module")
async def writer(chatting: Service) -> AsyncIterator[Person]:
    """The same, to write."""
    person = await Person.of(chatting)
    yield person
    await person.aclose()


@pytest.fixture(scope="module")
async def ids(ann: Person, reader: Person, writer: Person) -> dict[str, str]:
    """One thing of each kind, all of Ann's."""
    answer = (await Chat(ann.http).ask("A secret of Ann's: the zeppelin", model="fake-n3")).json()
    await ann.ready(b"A zeppelin in a talk, in the barn.", conversation_id=answer["conversation_id"])
    file_id = await ann.ready(b"The zeppelin is hidden in the barn.", collection_id=(books := await ann.collection()))
    share_id = await ann.share(books, reader.username)
    await ann.share(books, writer.username, "write")
    return {
        "collection_id": books,
        "share_id": share_id,
        "conversation_id": answer["conversation_id"],
        "message_id": answer["message"]["id"],
        "run_id": answer["run_id"],
        "file_id": file_id,
        "golden_id": (
            await ann.http.post("/api/v1/golden", json={"question": "Where?", "file_id": file_id, "page": 1})
        ).json()["id"],
        "key_id": (await ann.http.post("/api/v1/auth/keys", json={"name": "zeppelin"})).json()["id"],
    }


def test_document_is_that_of_the_service() -> None:
    assert len(ROUTES) > 25
    assert len({str(route) for route in ROUTES}) == len(ROUTES)
    assert {str(route) for route in ROUTES} >= PUBLIC | ADMIN_ONLY | set(BODIES)


@pytest.mark.parametrize("route", OWNED, ids=str)
def test_route_can_be_filled(route: Route) -> None:
    unknown = set(route.parameters) - IDS - set(PARTS)
    assert not unknown, f"{route}: say in IDS or PARTS what {sorted(unknown)} is, and make one in `ids`"
    assert not route.has_body or str(route) in BODIES, f"{route}: give a good body for it in BODIES"
    assert set(route.parameters) & IDS, f"{route}: which of its parameters names what belongs to a user?"


@pytest.mark.parametrize("route", ORDERED, ids=str)
async def test_what_is_anothers_is_not_found(route: Route, ann: Person, bob: Person, ids: dict[str, str]) -> None:
    answer = await bob.http.request(route.method, route.filled(ids), json=BODIES.get(str(route)))
    assert answer.status_code == 404, f"{answer.status_code}: {answer.text}"
    assert answer.json()["error"]["code"] == "not_found"
    assert "zeppelin" not in answer.text
    for name in ("conversation_id", "file_id", "collection_id"):
        kind = name.removesuffix("_id") + "s"
        assert (await ann.http.get(f"/api/v1/{kind}/{ids[name]}")).status_code == 200, "and it is still there"
    assert ids["key_id"] in (await ann.http.get("/api/v1/auth/keys")).text


def allowed(route: Route, access: str) -> int:
    """What somebody gets who may use Ann's collection: he may look, and with `write` take files out."""
    if not {"collection_id", "file_id"} & set(route.parameters):
        return 404
    if route.method == "GET" and "share" not in route.path:
        return 200
    takes_out = route.method == "DELETE" and {"collection_id", "file_id"} <= set(route.parameters)
    return 204 if takes_out and access == "write" else 403


@pytest.mark.parametrize("access", ["read", "write"])
@pytest.mark.parametrize("route", ORDERED, ids=str)
async def test_what_is_shared_may_be_read_and_nothing_else(
    route: Route, access: str, ann: Person, reader: Person, writer: Person, ids: dict[str, str]
) -> None:
    person = reader if access == "read" else writer
    answer = await person.http.request(route.method, route.filled(ids), json=BODIES.get(str(route)))
    assert answer.status_code == allowed(route, access), f"{answer.status_code}: {answer.text}"
    if answer.status_code == 204:
        back = f"/api/v1/collections/{ids['collection_id']}/files/{ids['file_id']}"
        assert (await person.http.get(f"/api/v1/files/{ids['file_id']}")).status_code == 404, "it went with the right"
        assert (await ann.http.put(back)).status_code == 204
    assert (await ann.http.get(f"/api/v1/collections/{ids['collection_id']}")).json()["name"] == "Books"


@pytest.mark.parametrize("route", [route for route in OWNED if route.method == "GET"], ids=str)
async def test_owner_finds_it_at_the_same_address(route: Route, ann: Person, ids: dict[str, str]) -> None:
    """Else the 404 above would prove nothing."""
    assert (await ann.http.get(route.filled(ids))).status_code == 200


@pytest.mark.parametrize("route", [route for route in ROUTES if str(route) in ADMIN_ONLY], ids=str)
async def test_what_is_an_administrators_is_forbidden(route: Route, bob: Person, ids: dict[str, str]) -> None:
    answer = await bob.http.request(route.method, route.filled(ids), json=BODIES.get(str(route)))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("route", PRIVATE, ids=str)
async def test_nobody_comes_in_without_a_token(route: Route, anybody: httpx.AsyncClient, ids: dict[str, str]) -> None:
    for headers in ({}, {"Authorization": "Bearer x.y.z"}):
        answer = await anybody.request(route.method, route.filled(ids), json=BODIES.get(str(route)), headers=headers)
        assert answer.status_code == 401, f"{answer.status_code}: {answer.text}"
        assert answer.json()["error"]["code"] in {"not_authenticated", "invalid_api_key"}


@pytest.mark.parametrize("route", [route for route in ROUTES if str(route) in PUBLIC], ids=str)
async def test_public_routes_need_no_token(route: Route, anybody: httpx.AsyncClient) -> None:
    assert (await anybody.request(route.method, route.path)).status_code in {200, 422}


async def test_ids_of_another_in_bodies_and_queries(bob: Person, ids: dict[str, str]) -> None:
    conversation_id, message_id, file_id = ids["conversation_id"], ids["message_id"], ids["file_id"]
    for path in ("/api/v1/chat", "/api/v1/chat/stream"):
        for body in (
            {"message": "hi", "conversation_id": conversation_id},
            {"message": "hi", "conversation_id": conversation_id, "parent_id": message_id},
            {"message": "hi", "file_ids": [file_id]},
            {"message": "hi", "collection_ids": [ids["collection_id"]]},
            {"regenerate": message_id},
            {"continue": message_id},
        ):
            answer = await bob.http.post(path, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), (path, body)
    for named in ({"file_ids": [file_id]}, {"collection_ids": [ids["collection_id"]]}):
        assert (await bob.search("zeppelin", **named)).status_code == 404
        for model in ("passages", "openai"):
            body = {"model": model, "messages": [{"role": "user", "content": "zeppelin"}], **named}
            assert (await bob.http.post("/v1/chat/completions", json=body)).status_code == 404
    assert (await bob.upload(b"text", collection_id=ids["collection_id"])).status_code == 404
    assert (await bob.http.get("/api/v1/tags", params={"collection_id": ids["collection_id"]})).status_code == 404
    choice = {"collection_ids": [ids["collection_id"]]}
    assert (await bob.http.post("/api/v1/conversations", json=choice)).status_code == 404
    assert (await bob.upload(b"text", conversation_id=conversation_id)).status_code == 404
    own = (await bob.http.post("/api/v1/conversations", json={})).json()["id"]
    for path, changes in (
        (f"/api/v1/conversations/{own}", {"active_message_id": message_id}),
        (f"/api/v1/conversations/{own}", {"active_message_id": message_id, "title": "x"}),
        (f"/api/v1/conversations/{own}", {"collection_ids": [ids["collection_id"]], "title": "x"}),
    ):
        assert (await bob.http.patch(path, json=changes)).status_code == 404
    assert (await bob.http.get(f"/api/v1/conversations/{own}")).json()["title"] == "New conversation"
    answer = await bob.http.post("/api/v1/chat", json={"message": "x", "conversation_id": own, "parent_id": message_id})
    assert answer.status_code == 404


async def test_lists_searches_and_events_show_nothing_of_another(ann: Person, bob: Person, ids: dict[str, str]) -> None:
    """Everything that a user can list or search, for every way to ask."""
    async with bob.http.stream("GET", "/api/v1/events") as events:
        await ann.http.patch(f"/api/v1/conversations/{ids['conversation_id']}", json={"title": "Ann's zeppelin"})
        await ann.ready(b"Another zeppelin.", name="zeppelin.txt", tags='{"craft": "airship"}')
        own = await bob.ready(b"A balloon.", name="balloon.txt")
        heard = ""
        async with asyncio.timeout(30):
            async for line in events.aiter_lines():
                heard += line
                if own in line and "ready" in line:
                    break
    answers = [
        await bob.http.get("/api/v1/conversations"),
        await bob.http.get("/api/v1/conversations", params={"q": "zeppelin"}),
        await bob.http.get("/api/v1/files"),
        await bob.http.get("/api/v1/auth/keys"),
        await bob.http.get("/api/v1/collections"),
        await bob.http.get("/api/v1/tags"),
        await bob.http.get("/api/v1/files", params={"q": "zeppelin"}),
        await bob.http.get("/api/v1/files", params={"conversation_id": ids["conversation_id"]}),
        *[await bob.search("zeppelin", mode=mode) for mode in ("hybrid", "dense", "text")],
        *[await bob.search("zeppelin", tags={"craft": "airship"}, mode=mode) for mode in ("dense", "text")],
        await bob.http.post("/api/v1/chat", json={"message": "zeppelin", "model_source": "passages"}),
    ]
    for shown in chain([heard], (answer.text for answer in answers)):
        assert "barn" not in shown
        assert "zeppelin.txt" not in shown
        assert not [name for name, value in ids.items() if value in shown]


async def test_two_users_may_use_the_same_idempotency_key(ann: Person, bob: Person) -> None:
    answers = [await Chat(person.http).ask("same words", model="fake-n3", key="one-key") for person in (ann, bob)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["run_id"] != answers[1].json()["run_id"]
