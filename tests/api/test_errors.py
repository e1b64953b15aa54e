"""Every error has the one shape, the right status and the request's id, and the OpenAPI document says so."""

from typing import Any

import httpx
import pytest

from tests.api.people import Person
from tests.service import Service

JSON = {"Content-Type": "application/json"}
CONVERSATIONS = "/api/v1/conversations"
METHODS = {"get", "post", "put", "patch", "delete"}


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Checks the one shape and gives the message."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error"}
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "details", "request_id"}
    assert (error["code"], error["request_id"]) == (code, answer.headers["X-Request-ID"])
    assert isinstance(error["details"], dict)
    return str(error["message"])


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api", "/api/v1", "/api/v1/", "/api/v1/nothing", "/v2/x", "/a/../b", "/ä%00%ff", "/" + "x" * 5000],
)
async def test_route_that_is_not_there(anybody: httpx.AsyncClient, path: str) -> None:
    said = refused(await anybody.get(path), 404, "not_found")
    assert said.endswith("; see /docs")
    assert len(said) < 500


@pytest.mark.parametrize("host", ["[", "a b", "", "x" * 1000])
async def test_odd_host_changes_nothing(anybody: httpx.AsyncClient, host: str) -> None:
    refused(await anybody.get("/nothing", headers={"Host": host}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/api/v1/auth/login", {"POST"}),
        ("GET", "/api/v1/auth/register", {"POST"}),
        ("POST", "/api/v1/auth/me", {"GET"}),
        ("PATCH", "/api/v1/chat", {"POST"}),
        ("POST", "/health", {"GET"}),
        ("TRACE", "/api/v1/chat", {"POST"}),
    ],
)
async def test_method_that_is_not_allowed(
    anybody: httpx.AsyncClient, method: str, path: str, allowed: set[str]
) -> None:
    answer = await anybody.request(method, path)
    assert path in refused(answer, 405, "validation_error")
    assert allowed <= set(answer.headers["Allow"].replace(" ", "").split(","))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "body: Field required"),
        (b"{", "body: it is not JSON: Expecting property name enclosed in double quotes at character 1"),
        (b'{"title": "a"', "body: it is not JSON"),
        (b"\xff\xfe\xfd", "parsing the body"),
        (b"[" * 100_000, "parsing the body"),
        (b"[]", "body: "),
        (b'"x"', "body: "),
        (b"null", "body: "),
        (b"1e999", "body: "),
        (b'{"title": NaN}', "title: "),
        (b'{"title": 1}', "title: Input should be a valid string"),
        (b'{"title": null}', "title: "),
        (b'{"title": "a\\u0000b"}', "title: a NUL character is not allowed"),
        (b'{"title": "\\ud800"}', "title: "),
        (b'{"\\ud800": 1}', "body: "),
        (b'{"titel": "x"}', "titel: Extra inputs are not permitted"),
        (b'{"title": "' + b"x" * 201 + b'"}', "title: "),
    ],
)
async def test_body_that_cannot_be_read(person: Person, content: bytes, said: str) -> None:
    answer = await person.http.post(CONVERSATIONS, content=content, headers=JSON)
    assert said in refused(answer, 422, "validation_error")


async def test_body_of_another_type(person: Person) -> None:
    for kind in ("text/plain", "application/xml", "nonsense", "application/x-www-form-urlencoded"):
        answer = await person.http.post(CONVERSATIONS, content=b'{"title": "x"}', headers={"Content-Type": kind})
        refused(answer, 422, "validation_error")


async def test_many_wrong_fields_get_a_short_answer(person: Person) -> None:
    answer = await person.http.post(CONVERSATIONS, json={f"{n}{'x' * 300}": n for n in range(2000)})
    refused(answer, 422, "validation_error")
    assert len(answer.json()["error"]["details"]["errors"]) == 20
    assert len(answer.content) < 20_000


async def test_wrong_field_is_named_in_details(person: Person) -> None:
    answer = await person.http.post("/api/v1/chat", json={"message": "hi", "temperature": 9, "file_ids": ["x"]})
    assert refused(answer, 422, "validation_error").startswith("file_ids.0: ")
    assert [problem["field"] for problem in answer.json()["error"]["details"]["errors"]] == [
        "file_ids.0",
        "temperature",
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=1e9", "limit=", f"limit={10**40}"])
async def test_query_that_cannot_be_read(person: Person, query: str) -> None:
    assert refused(await person.http.get(f"{CONVERSATIONS}?{query}"), 422, "validation_error").startswith("limit: ")


@pytest.mark.parametrize("bad", ["123", "null", "%00", "..", "x" * 2000, "00000000-0000-0000-0000-00000000000g"])
async def test_id_that_is_none(person: Person, bad: str) -> None:
    answer = await person.http.get(f"{CONVERSATIONS}/{bad}/messages")
    assert answer.status_code in {404, 422}
    refused(answer, answer.status_code, answer.json()["error"]["code"])


NUL = "a\0b"
WITH_NUL: list[tuple[str, str, dict[str, object]]] = [
    ("POST", "/auth/register", {"json": {"username": NUL, "password": "x" * 9}}),
    ("POST", "/auth/register", {"json": {"username": "a", "password": NUL * 4}}),
    ("POST", "/auth/register", {"json": {"username": "a", "password": "x" * 9, "email": "a@b\0"}}),
    ("POST", "/auth/login", {"json": {"username": NUL, "password": "x"}}),
    ("POST", "/auth/login", {"data": {"username": "x", "password": NUL}}),
    ("POST", "/auth/refresh", {"json": {"refresh_token": NUL}}),
    ("POST", "/auth/logout", {"json": {"refresh_token": NUL}}),
    ("POST", "/conversations", {"json": {"title": NUL}}),
    ("GET", "/conversations?q=a%00b", {}),
    ("GET", "/conversations?cursor=a%00b", {}),
    ("POST", "/chat", {"json": {"message": NUL}}),
    ("POST", "/chat", {"json": {"message": "x", "system_prompt": NUL}}),
    ("POST", "/chat", {"json": {"message": "x", "model": NUL}}),
    ("POST", "/chat", {"json": {"message": "x", "model_source": NUL}}),
    ("POST", "/chat/stream", {"json": {"message": NUL}}),
    ("POST", "/search", {"json": {"query": NUL}}),
    ("GET", "/files?q=a%00b", {}),
    ("GET", "/files?cursor=a%00b", {}),
]


@pytest.mark.parametrize(("method", "path", "sent"), WITH_NUL, ids=str)
async def test_nul_in_text_is_refused(person: Person, method: str, path: str, sent: dict[str, Any]) -> None:
    """PostgreSQL cannot store it."""
    refused(await person.http.request(method, f"/api/v1{path}", **sent), 422, "validation_error")


async def test_nul_in_a_new_title_is_refused(person: Person) -> None:
    made = (await person.http.post(CONVERSATIONS, json={})).json()
    answer = await person.http.patch(f"{CONVERSATIONS}/{made['id']}", json={"title": NUL})
    refused(answer, 422, "validation_error")


@pytest.mark.parametrize("given", ["abc", "A-b_c.1:2/3+4=5@6", "x" * 128])
async def test_request_id_comes_back_in_header_and_error(anybody: httpx.AsyncClient, given: str) -> None:
    answer = await anybody.get("/api/v1/auth/me", headers={"X-Request-ID": given})
    refused(answer, 401, "not_authenticated")
    assert answer.headers["X-Request-ID"] == given
    assert (await anybody.get("/health", headers={"X-Request-ID": given})).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 129, "a b", '{"a":1}', "a;b", "<b>"])
async def test_odd_request_id_is_replaced(chatting: Service, anybody: httpx.AsyncClient, given: str | None) -> None:
    answer = await anybody.get("/nothing", headers={} if given is None else {"X-Request-ID": given})
    refused(answer, 404, "not_found")
    made = answer.headers["X-Request-ID"]
    assert made != given
    assert len(made) == 32
    await anybody.get("/health")  # the line is written when the answer is on its way
    assert f'"request_id":"{made}"' in chatting.log()


async def test_two_requests_have_two_ids(anybody: httpx.AsyncClient) -> None:
    assert len({(await anybody.get("/nothing")).headers["X-Request-ID"] for _ in range(5)}) == 5


@pytest.fixture(scope="module")
async def document(chatting: Service) -> dict[str, Any]:
    async with chatting.client() as client:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
    return found


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    }


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len(found) > 25
    assert {name: op.get("summary") for name, op in found.items() if not op.get("summary")} == {}
    assert [name for name, op in found.items() if len(op.get("description", "")) < 8] == []


def test_every_operation_of_the_api_has_the_error_model(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        if " /api/v1/" not in name:
            continue
        for status in ("401", "404", "422", "default"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_operation_has_its_own_id(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))


def test_protected_operations_say_how_to_sign_in(document: dict[str, Any]) -> None:
    scheme = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]
    assert scheme["flows"]["password"]["tokenUrl"] == "/api/v1/auth/login"
    public = {name for name, op in operations(document).items() if " /api/v1/" in name and "security" not in op}
    assert public == {f"POST /api/v1/auth/{route}" for route in ("register", "login", "refresh", "logout")}
