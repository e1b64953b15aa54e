"""`/models/list` and `/models/status`: every source, whether it answers, and why not."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.api.people import Person
from tests.chats import Chat
from tests.fakes.ollama import Ollama
from tests.fakes.upstream import Upstream
from tests.processes import free_port
from tests.service import Service

ROWS = """
sources:
  - name: gpu
    base_urls: [{up}, {down}]
    default_model: fake-n20
    models:
      - name: fake-n20
        context_tokens: 4096
      - name: bge
        kind: embedding
  - name: lost
    base_urls: [{down}]
"""


@pytest.fixture(scope="module")
def ollama() -> Iterator[Ollama]:
    with Ollama() as server:
        yield server


@pytest.fixture(scope="module")
def service(ollama: Ollama, model: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    rows = folder / "models.yaml"
    rows.write_text(ROWS.format(up=model.url, down=f"http://127.0.0.1:{free_port()}/v1"))
    env = {
        "OPENAI_BASE_URL": model.url,
        "EMBEDDINGS_BASEURL": ollama.url,
        "OLLAMA_CHAT_MODEL": "fake-n20",
        "MODELS_CONFIG": str(rows),
    }
    running = Service(folder, env)
    yield running
    running.kill()


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    person = await Person.of(service)
    yield person.http
    await person.aclose()


async def test_models_of_every_configured_source(http: httpx.AsyncClient) -> None:
    found = (await http.get("/api/v1/models/list")).json()
    names = {(m["model_source"], m["name"]): m for m in found["items"]}
    assert names["gpu", "fake-n20"]["context_tokens"] == 4096
    assert names["gpu", "fake-n20"]["is_default"]
    assert names["gpu", "bge"]["kind"] == "embedding"
    assert names["ollama", "nomic-embed-text:latest"]["kind"] == "embedding"
    assert names["openai", "fake-n200"]["context_tokens"] is None
    reasons = {source["model_source"]: source["reason"] for source in found["sources"]}
    assert reasons["openai"] is None
    assert [source["model_source"] for source in found["sources"] if source["is_default"]] == ["openai"]
    assert "did not list its models" in reasons["lost"]
    assert found["reason"] is None


@pytest.mark.parametrize(
    ("mode", "count", "reason"),
    [
        ("openai", 3, None),
        ("ollama", 3, None),
        ("gpu", 4, None),
        ("lost", 0, "did not list its models"),
        ("aihub", 0, "not configured: set AIHUB_URL"),
        ("passages", 0, None),
    ],
)
async def test_models_of_one_source(http: httpx.AsyncClient, mode: str, count: int, reason: str | None) -> None:
    found = (await http.get("/api/v1/models/list", params={"mode": mode})).json()
    assert len(found["items"]) == count
    assert (found["reason"] is None) == (reason is None)
    assert reason is None or reason in found["reason"]


async def test_an_unknown_source(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/models/list", params={"mode": "magic"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "gpu" in answer.json()["error"]["message"]


async def test_status_of_every_source(http: httpx.AsyncClient) -> None:
    states = (await http.get("/api/v1/models/status")).json()
    assert set(states) >= {"ollama", "aihub", "openai", "gpu", "lost"}
    assert states["openai"]["is_default"]
    assert states["openai"]["latency_ms"] > 0
    assert (states["aihub"]["configured"], states["aihub"]["reachable"]) == (False, False)
    gpu = states["gpu"]
    assert (gpu["reachable"], gpu["models"], gpu["breaker"], gpu["default_model"]) == (True, 4, "closed", "fake-n20")
    assert sorted(address["reachable"] for address in gpu["addresses"]) == [False, True]
    assert not states["lost"]["reachable"]
    assert "did not list" in states["lost"]["last_error"]


async def test_status_tells_of_a_source_that_fails(http: httpx.AsyncClient) -> None:
    chat = Chat(http)
    for _ in range(2):
        assert (await chat.ask(model_source="openai", model="fake-e500-r0")).status_code == 503
    state = (await http.get("/api/v1/models/status")).json()["openai"]
    assert (state["breaker"], state["reachable"], state["running"]) == ("open", True, 0)
    assert "injected 500" in state["last_error"]


async def test_the_same_question_to_every_source(http: httpx.AsyncClient) -> None:
    chat = Chat(http)
    for source in ("openai", "ollama", "gpu"):
        frames = await chat.stream(model_source=source, model="fake-n20-q2")
        assert [f.kind for f in frames if f.kind not in {"delta", "reasoning"}] == ["run", "status", "usage", "done"]
        assert "".join(f.data["text"] for f in frames if f.kind == "reasoning") == "r0 r1 "
        message = await chat.message(frames)
        assert (message["model_source"], message["model"], message["status"]) == (source, "fake-n20-q2", "complete")
        assert message["usage"]["counted_by"] == "provider"
        (entry,) = await chat.ledger(message["id"])
        assert (entry["model_source"], entry["counted_by"]) == (source, "provider")
        assert await chat.resume(frames[0].data["run_id"], after=3) == frames[3:]


async def test_stop_frees_every_source_at_once(http: httpx.AsyncClient, ollama: Ollama, model: Upstream) -> None:
    chat = Chat(http)
    for source, server in (("openai", model), ("ollama", ollama)):
        async with chat.open(model_source=source, model="fake-n2000-d20") as tail:
            await tail.until("delta", 3)
            await chat.stop(tail.run_id)
            frames = await tail.rest()
        assert frames[-1].data["finish_reason"] == "stopped"
        written = server.stats.tokens
        states = (await http.get("/api/v1/models/status")).json()
        assert states[source]["running"] == 0
        assert server.stats.tokens - written <= 1
