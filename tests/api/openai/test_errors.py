"""Every error under /v1 has OpenAI's shape, with a status, type and code that its clients know."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.api.errors import failure_body
from app.observability.middleware import Observed
from tests.api.openai.asking import CHAT, body, refused
from tests.api.people import Person
from tests.conftest import Serve
from tests.fakes.extras import OVERFLOW
from tests.fakes.upstream import Upstream
from tests.processes import free_port
from tests.service import Service

ROUTES = [("GET", "/v1/models"), ("GET", "/v1/models/a/b"), ("POST", CHAT), ("POST", "/v1/embeddings")]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_nobody_comes_in_without_a_key(anybody: httpx.AsyncClient, method: str, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer sk-nonsense"}, {"Authorization": "Basic abc"}):
        error = refused(await anybody.request(method, path, headers=headers), 401, "invalid_api_key")
        assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/chat", "/v1/" + "x" * 3000])
async def test_a_route_that_is_not_there(anybody: httpx.AsyncClient, path: str) -> None:
    error = refused(await anybody.get(path), 404, "not_found")
    assert len(error["message"]) < 500


async def test_a_method_that_is_not_allowed(person: Person) -> None:
    answer = await person.http.get(CHAT)
    assert refused(answer, 405, None)["type"] == "invalid_request_error"
    assert answer.headers["Allow"] == "POST"


async def test_other_paths_keep_our_own_shape(anybody: httpx.AsyncClient) -> None:
    for path in ("/v1x", "/v12/models", "/api/v1/chat"):
        assert "request_id" in (await anybody.delete(path)).json()["error"]


REFUSED: list[tuple[str, int, str | None, str]] = [
    ("fake-e400", 400, None, "injected 400"),
    ("fake-e422", 400, None, "injected 422"),
    ("fake-e400-o1", 400, "context_length_exceeded", OVERFLOW),
    ("fake-e401", 502, "upstream_refused", "API key"),
    ("fake-e403", 502, "upstream_refused", "injected 403"),
    ("fake-e404", 404, "model_not_found", "fake-n20"),
    ("fake-e429-r3600", 503, "upstream_unavailable", "injected 429"),
    ("fake-e500-r3600", 503, "upstream_unavailable", "injected 500"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "status", "code", "said"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_what_the_model_refuses_has_a_status(
    person: Person, name: str, status: int, code: str | None, said: str, streamed: bool
) -> None:
    answer = await person.http.post(CHAT, json=body(name, stream=streamed))
    error = refused(answer, status, code)
    assert said in error["message"]
    assert ("Retry-After" in answer.headers) == ("-r" in name)
    if code == "model_not_found":
        assert error["param"] == "model"


async def test_a_prompt_that_is_too_long_is_refused_with_both_figures(person: Person, model: Upstream) -> None:
    before = model.stats.requests
    messages = [{"role": "user", "content": "word " * 5000}]
    error = refused(await person.http.post(CHAT, json=body(messages=messages)), 400, "context_length_exceeded")
    assert error["param"] == "messages"
    assert "4096" in error["message"]
    assert "6255" in error["message"]
    assert model.stats.requests == before


@pytest.mark.parametrize("name", ["aihub", "aihub/x"])
async def test_a_source_that_is_not_configured(person: Person, name: str) -> None:
    answer = await person.http.post(CHAT, json=body(name))
    if "/" in name:
        error = refused(answer, 404, "model_not_found")
        assert "AIHUB_URL" in error["message"]
    else:  # a bare name may be a model's at the default source
        assert answer.status_code == 200


@pytest.fixture(scope="module")
async def odd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Person]:
    """A user of a service whose model's server is not there, and whose bodies may have 1 MB."""
    env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{free_port()}/v1", "OPENAI_MODEL": "m", "MAX_OPENAI_BODY_MB": "1"}
    service = Service(tmp_path_factory.mktemp("odd"), {**env, "FIRST_TOKEN_TIMEOUT_S": "1"})
    person = await Person.of(service)
    yield person
    await person.aclose()
    service.kill()


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_model_that_is_not_there(odd: Person, streamed: bool) -> None:
    refused(await odd.http.post(CHAT, json=body("m", stream=streamed)), 503, "upstream_unavailable")


async def test_a_body_over_its_limit(odd: Person) -> None:
    too_much = json.dumps(body(x="y" * (1 << 20))).encode()

    async def in_pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(too_much), 65536):
            yield too_much[at : at + 65536]

    for content in (too_much, in_pieces()):
        answer = await odd.http.post(CHAT, content=content, headers={"Content-Type": "application/json"})
        error = refused(answer, 413, "request_too_large")
        assert "1048576" in error["message"]
        assert error["type"] == "invalid_request_error"


async def test_half_a_body_is_no_fault_of_ours(chatting: Service, person: Person) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", chatting.port)
    key = person.http.headers["Authorization"]
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nX-Request-ID: half-a-body\r\n"
    writer.write(f"{head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{".encode())
    await writer.drain()
    writer.close()
    async with asyncio.timeout(10):
        while True:
            lines = [line for line in chatting.log().splitlines() if "half-a-body" in line]
            if lines:
                break
            await asyncio.sleep(0.02)
    assert "unexpectedly" not in "".join(lines)


async def test_an_error_that_nobody_expected() -> None:
    app = FastAPI()

    @app.get("/v1/broken")
    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("a secret")

    app.add_middleware(Observed, failure_body=failure_body)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        error = refused(await client.get("/v1/broken"), 500, "internal_error")
        assert "secret" not in error["message"]
        assert "request_id" in (await client.get("/broken")).json()["error"]


async def test_clients_in_a_browser_may_send_their_headers(serve: Serve) -> None:
    origin = "https://chat.example.org"
    service = serve(ALLOWED_ORIGINS=origin)
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with service.client() as client:
        for header in ("authorization", "x-stainless-os", "x-stainless-runtime-version"):
            answer = await client.options(CHAT, headers={**asked, "Access-Control-Request-Headers": header})
            assert answer.status_code == 200, header


async def test_the_document_describes_the_surface(anybody: httpx.AsyncClient) -> None:
    document: dict[str, Any] = (await anybody.get("/openapi.json")).json()
    paths = {path: item for path, item in document["paths"].items() if path.startswith("/v1/")}
    assert set(paths) == {"/v1/models", "/v1/models/{model}", CHAT, "/v1/embeddings"}
    for item in paths.values():
        for operation in item.values():
            schema = operation["responses"]["401"]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/OpenAIError"}
            assert operation["security"]
    content = paths[CHAT]["post"]["requestBody"]["content"]["application/json"]
    assert {"model", "messages", "use_rag", "file_ids"} <= set(content["schema"]["properties"])
    assert "$ref" not in str(content)
    assert content["examples"]
