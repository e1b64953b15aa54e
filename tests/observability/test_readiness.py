"""Each port by name, and the whole not ready when one that is needed is down."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI, Request

from app import __version__
from app.api import health
from app.core.errors import UpstreamUnavailable
from app.observability.readiness import Check, Readiness


async def fine() -> str:
    return "SQLite"


async def down() -> str:
    raise UpstreamUnavailable("nobody answers at 'http://127.0.0.1:1'")


async def broken() -> str:
    raise RuntimeError("password=hunter2")


@asynccontextmanager
async def client(*checks: Check) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(health.router)
    readiness = Readiness(checks)

    @app.middleware("http")
    async def give_state(request: Request, call_next):  # type: ignore[no-untyped-def]
        request.state.readiness = readiness
        return await call_next(request)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        yield http


async def test_all_ports_up() -> None:
    async with client(Check("rows", fine), Check("vectors", fine, needed=False)) as http:
        response = await http.get("/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert response.json()["ports"]["rows"] == {"ok": True, "needed": True, "detail": "SQLite"}


async def test_needed_port_down() -> None:
    async with client(Check("rows", fine), Check("chat model", down)) as http:
        response = await http.get("/ready")
    assert (response.status_code, response.json()["status"]) == (503, "not_ready")
    assert response.json()["ports"]["chat model"]["detail"] == "nobody answers at 'http://127.0.0.1:1'"


async def test_port_that_is_not_needed_may_be_down() -> None:
    async with client(Check("rows", fine), Check("embeddings", down, needed=False)) as http:
        assert (await http.get("/ready")).status_code == 200


async def test_unexpected_failure_tells_strangers_nothing() -> None:
    async with client(Check("rows", broken)) as http:
        response = await http.get("/ready")
    assert response.json()["ports"]["rows"]["detail"] == "RuntimeError; the log has more"


async def test_many_askers_cost_one_probe() -> None:
    asked: list[int] = []

    async def probe() -> str:
        asked.append(1)
        await asyncio.sleep(0)
        return "ok"

    readiness = Readiness([Check("rows", probe)])
    await asyncio.gather(*(readiness.states() for _ in range(50)))
    assert len(asked) == 1


async def test_health_needs_nothing() -> None:
    async with client() as http:
        body = (await http.get("/health")).json()
    assert (body["status"], body["version"]) == ("healthy", __version__)
    assert body["uptime_s"] > 0


async def test_metrics_are_text() -> None:
    async with client() as http:
        response = await http.get("/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    assert "llama_active_runs" in response.text
