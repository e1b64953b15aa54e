"""Around every request: an id in and out, a count by route, and one error shape even for what nobody expected."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse
from loguru import logger

from app.observability.context import request_id
from app.observability.metrics import REGISTRY
from app.observability.middleware import Observed

files = APIRouter(prefix="/files")
v1 = APIRouter(prefix="/api/v1")


@files.get("/{name}")
async def read_id(name: str) -> dict[str, str]:
    return {"name": name, "request_id": request_id.get()}


@files.get("/{name}/broken")
async def fail(name: str) -> None:
    raise RuntimeError(f"secret of {name}")


async def cut() -> AsyncIterator[bytes]:
    yield b"one"
    raise RuntimeError("too late for an answer")


@files.get("/{name}/cut")
async def fail_late() -> StreamingResponse:
    return StreamingResponse(cut())


v1.include_router(files)


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(v1)
    app.add_middleware(Observed)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def count(route: str, status: int, method: str = "GET") -> float:
    return (
        REGISTRY.get_sample_value("llama_requests_total", {"method": method, "route": route, "status": str(status)})
        or 0
    )


async def test_given_id_is_used_and_returned(http: httpx.AsyncClient) -> None:
    response = await http.get("/api/v1/files/a", headers={"X-Request-ID": "trace-1.a"})
    assert response.headers.get_list("X-Request-ID") == ["trace-1.a"]
    assert response.json()["request_id"] == "trace-1.a"


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>", "a\tb"])
async def test_harmful_id_is_replaced(http: httpx.AsyncClient, given: str) -> None:
    response = await http.get("/api/v1/files/a", headers={"X-Request-ID": given})
    assert response.headers["X-Request-ID"] == response.json()["request_id"] != given
    assert len(response.json()["request_id"]) == 32


async def test_every_request_has_an_id_of_its_own(http: httpx.AsyncClient) -> None:
    ids = {(await http.get("/api/v1/files/a")).headers["X-Request-ID"] for _ in range(3)}
    assert len(ids) == 3


async def test_requests_are_counted_by_the_route_and_not_by_the_path(http: httpx.AsyncClient) -> None:
    before = count("/api/v1/files/{name}", 200)
    for name in ("a", "b", "c"):
        await http.get(f"/api/v1/files/{name}")
    assert count("/api/v1/files/{name}", 200) == before + 3


async def test_unknown_paths_and_methods_share_one_label(http: httpx.AsyncClient) -> None:
    before = count("(none)", 404, "other")
    for path in ("/x", "/y"):
        await http.request("BREW", path)
    assert count("(none)", 404, "other") == before + 2


async def test_unexpected_error_has_the_one_shape_and_says_no_secret(http: httpx.AsyncClient) -> None:
    seen: list[str] = []
    sink = logger.add(seen.append, format="{message}\n{exception}")
    response = await http.get("/api/v1/files/ann/broken", headers={"X-Request-ID": "r7"})
    logger.remove(sink)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert response.json()["error"]["request_id"] == response.headers["X-Request-ID"] == "r7"
    assert "secret" not in response.text
    assert any("secret of ann" in line for line in seen)
    assert count("/api/v1/files/{name}/broken", 500) >= 1


async def test_error_after_the_head_cuts_the_answer(http: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError, match="too late"):
        await http.get("/api/v1/files/a/cut")


async def test_log_has_the_path_without_its_query(http: httpx.AsyncClient) -> None:
    seen: list[str] = []
    sink = logger.add(seen.append, format="{message} {extra[status]}", level="INFO")
    await http.get("/api/v1/files/a?q=my+illness")
    logger.remove(sink)
    assert seen == ["GET /api/v1/files/a 200\n"]
