"""Every route of the application, asked for with API keys of every scope."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.api import scopes
from app.core.enums import Scope
from tests.api.people import Person
from tests.api.test_ownership import ADMIN_ONLY, BODIES, PARTS, PRIVATE, Route
from tests.service import Service

# What needs a sign-in by password. A new route that no entry of the table covers must be added here, or there.
CLOSED = {
    *("GET /api/v1/index", "POST /api/v1/index/check", "POST /api/v1/index/rebuild", "DELETE /api/v1/index/rebuild"),
    "GET /api/v1/auth/me",
    "GET /api/v1/auth/keys",
    "POST /api/v1/auth/keys",
    "DELETE /api/v1/auth/keys/{key_id}",
}
ADMINS_ONLY = {"GET /api/v1/stats/system", *ADMIN_ONLY}


@pytest.fixture(scope="module")
async def keys(chatting: Service) -> AsyncIterator[dict[Scope, str]]:
    """One key for each scope."""
    person = await Person.of(chatting)
    yield {scope: await person.key(scope) for scope in Scope}
    await person.aclose()


async def ask(service: Service, route: Route, key: str) -> tuple[int, str]:
    """The status and the whole answer, unless it is a stream."""
    path = route.path.format(**{name: PARTS.get(name, str(uuid4())) for name in route.parameters})
    sent = BODIES.get(str(route), {}) if route.has_body else None
    async with (
        service.client(headers={"Authorization": f"Bearer {key}"}) as client,
        client.stream(route.method, path, json=sent) as answer,
    ):
        return answer.status_code, "" if answer.status_code == 200 else (await answer.aread()).decode()


def test_routes_that_are_closed_to_keys() -> None:
    assert {str(route) for route in PRIVATE if scopes.scope_of(route.path) is None} == CLOSED


@pytest.mark.parametrize("route", PRIVATE, ids=str)
async def test_key_reaches_what_its_scope_says(route: Route, chatting: Service, keys: dict[Scope, str]) -> None:
    needed = scopes.scope_of(route.path)
    for scope, key in keys.items():
        status, said = await ask(chatting, route, key)
        if needed is None:
            assert (status, "sign in with a password" in said) == (403, True), (scope, said)
        elif scope is not needed:
            assert (status, f"has no scope '{needed}'" in said) == (403, True), (scope, said)
        elif str(route) in ADMINS_ONLY:
            assert (status, "only an administrator" in said) == (403, True), said
        else:
            assert status not in {401, 403, 500}, said


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/v1", Scope.OPENAI),
        ("/v1/chat/completions", Scope.OPENAI),
        ("/v1x", None),
        ("/api/v1/chat", Scope.CHAT),
        ("/api/v1/chat/stream", Scope.CHAT),
        ("/api/v1/chats", None),
        ("/api/v1/events", Scope.CHAT),
        ("/api/v1/search", Scope.FILES),
        ("/api/v1/models/list", Scope.MODELS),
        ("/api/v1/stats/system", Scope.STATS),
        ("/api/v1/auth/keys", None),
        ("/api/v1", None),
        ("/", None),
        ("", None),
    ],
)
def test_prefixes_are_whole_segments(path: str, scope: Scope | None) -> None:
    assert scopes.scope_of(path) is scope
