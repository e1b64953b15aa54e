"""Pulls over the API: by administrators, in the background, told as events; and the offer of a first model."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.services.llm.store.offer import FILE as OFFERED_FILE
from app.services.llm.store.offer import REPO as OFFERED_REPO
from tests.api.people import Person
from tests.conftest import Serve
from tests.fakes.hub import Hub, gguf
from tests.service import Service

REPO = "owner/Tiny-GGUF"
SOON_S = 30
MB = 1 << 20
Event = dict[str, object]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture(scope="module")
def service(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("models"), {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "false"})
    yield running
    running.kill()


@pytest.fixture
async def admin(service: Service) -> AsyncIterator[Person]:
    admin = await Person.admin(service)
    yield admin
    await admin.aclose()


async def pull(person: Person, name: str, **more: str) -> Event:
    answer = await person.http.post("/api/v1/models/pull", json={"name": name, **more})
    assert answer.status_code == 202, answer.text
    accepted: Event = answer.json()
    return accepted


@asynccontextmanager
async def listening(person: Person) -> AsyncIterator[Callable[[str, str], "asyncio.Task[list[Event]]"]]:
    """`told(name, state)` gives all events of a model up to the one with this state."""
    async with person.http.stream("GET", "/api/v1/events", headers={"Last-Event-ID": "0"}, timeout=SOON_S) as answer:
        lines = answer.aiter_lines()

        async def told(name: str, state: str) -> list[Event]:
            events: list[Event] = []
            async with asyncio.timeout(SOON_S):
                async for line in lines:
                    event = json.loads(line[6:]) if line.startswith("data: ") else {}
                    if event.get("name") == name:
                        events.append(event)
                        if event["state"] == state:
                            break
            return events

        yield lambda name, state: asyncio.create_task(told(name, state))


def models_dir(service: Service) -> Path:
    return service.data_dir / "models"


async def test_model_is_pulled_in_the_background_and_told_as_events(hub: Hub, service: Service, admin: Person) -> None:
    data = gguf(5 * MB, seed=1)
    hub.add(REPO, "one-Q4_K_M.gguf", data, holds=[2 * MB])
    async with listening(admin) as told:
        accepted = await pull(admin, f"{REPO}:one-Q4_K_M")
        assert (accepted["name"], accepted["model_source"], accepted["file"]) == (
            "one-Q4_K_M",
            "local",
            "one-Q4_K_M.gguf",
        )
        assert accepted["state"] in {"queued", "downloading"}
        await asyncio.to_thread(hub.wait_held, models_dir(service) / "one-Q4_K_M.gguf.part", MB)
        running = (await admin.http.get("/api/v1/models/pulls")).json()["items"]
        assert [(one["name"], one["state"], one["bytes_total"]) for one in running] == [
            ("one-Q4_K_M", "downloading", len(data))
        ]
        joined = await pull(admin, f"{REPO}:one-Q4_K_M.gguf")
        assert joined["state"] == "downloading"
        hub.release()
        events = await told("one-Q4_K_M", "ready")
    assert events[-1] == {
        **accepted,
        "state": "ready",
        "progress": 1.0,
        "bytes_done": len(data),
        "bytes_total": len(data),
        "error": None,
    }
    assert (models_dir(service) / "one-Q4_K_M.gguf").read_bytes() == data
    assert hub.seen.sent["one-Q4_K_M.gguf"] == len(data), "the second request joined the first"


async def test_cancelled_pull_goes_on_when_it_is_asked_for_again(hub: Hub, service: Service, admin: Person) -> None:
    data = gguf(5 * MB, seed=2)
    hub.add(REPO, "two.gguf", data, holds=[3 * MB])
    async with listening(admin) as told:
        await pull(admin, f"{REPO}:two")
        await asyncio.to_thread(hub.wait_held, models_dir(service) / "two.gguf.part", MB)
        assert (await admin.http.delete("/api/v1/models/local/two")).status_code == 409
        assert (await admin.http.delete("/api/v1/models/pulls/two")).status_code == 204
        await told("two", "cancelled")
        kept = (models_dir(service) / "two.gguf.part").stat().st_size
        await pull(admin, f"{REPO}:two")
        await told("two", "ready")
    assert hub.seen.ranges[-1] == f"bytes={kept}-"
    assert (models_dir(service) / "two.gguf").read_bytes() == data


async def test_failure_has_its_code_and_reason(hub: Hub, service: Service, admin: Person) -> None:
    hub.add(REPO, "bad.gguf", gguf(1000), sha256="ab" * 32)
    async with listening(admin) as told:
        await pull(admin, f"{REPO}:bad")
        event = (await told("bad", "failed"))[-1]
    assert isinstance(event["error"], dict)
    assert event["error"]["code"] == "upstream_unavailable"
    assert "ab" * 32 in event["error"]["message"]
    shown = (await admin.http.get("/api/v1/models/pulls")).json()["items"]
    assert [one["error"]["code"] for one in shown if one["name"] == "bad"] == ["upstream_unavailable"]
    assert (await admin.http.delete("/api/v1/models/pulls/bad")).status_code == 204
    assert not [path for path in models_dir(service).iterdir() if path.name.startswith("bad")]


@pytest.mark.parametrize(
    ("name", "source", "status", "said"),
    [
        ("owner/None", "local", 404, "has no 'owner/None'"),
        (f"{REPO}:none", "local", 404, "its GGUF files: "),
        ("plain", "local", 422, "write OWNER/REPO"),
        ("/nowhere/x.gguf", "local", 404, "there is no file"),
        ("x", "elsewhere", 404, "known: local"),
        ("", "local", 422, "at least 1 character"),
        ("a/b\0", "local", 422, "NUL"),
    ],
)
async def test_what_cannot_be_pulled_is_refused_at_once(
    hub: Hub, admin: Person, name: str, source: str, status: int, said: str
) -> None:
    hub.add(REPO, "one-Q4_K_M.gguf", gguf(5 * MB, seed=1))
    answer = await admin.http.post("/api/v1/models/pull", json={"name": name, "model_source": source})
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]


async def test_model_is_removed_by_an_administrator_alone(
    service: Service, admin: Person, ann: Person, tmp_path: Path
) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf(1000))
    async with listening(admin) as told:
        await pull(admin, str(tmp_path / "mine.gguf"))
        await told("mine", "ready")
    for method, path, body in (
        ("POST", "pull", {"name": str(tmp_path / "mine.gguf")}),
        ("GET", "pulls", None),
        ("DELETE", "pulls/mine", None),
        ("DELETE", "local/mine", None),
    ):
        answer = await ann.http.request(method, f"/api/v1/models/{path}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    assert (models_dir(service) / "mine.gguf").exists()
    assert (await admin.http.delete("/api/v1/models/local/mine")).status_code == 204
    again = await admin.http.delete("/api/v1/models/local/mine")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "not_found")
    for name in ("..%2F..%2Frows", "%2Fetc%2Fpasswd", "rows.db"):
        assert (await admin.http.delete(f"/api/v1/models/local/{name}")).status_code == 404


async def test_shutdown_in_mid_pull_keeps_what_came(hub: Hub, serve: Serve) -> None:
    data = gguf(5 * MB, seed=3)
    hub.add(REPO, "three.gguf", data, holds=[3 * MB])
    service = serve(HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="false")
    admin = await Person.admin(service)
    await pull(admin, f"{REPO}:three")
    await asyncio.to_thread(hub.wait_held, models_dir(service) / "three.gguf.part", MB)
    await admin.aclose()
    assert await asyncio.to_thread(service.stop) == 0
    kept = (models_dir(service) / "three.gguf.part").stat().st_size
    service.start()
    admin = await Person.admin(service)
    async with listening(admin) as told:
        await pull(admin, f"{REPO}:three")
        await told("three", "ready")
    await admin.aclose()
    assert hub.seen.ranges[-1] == f"bytes={kept}-"
    assert (models_dir(service) / "three.gguf").read_bytes() == data


async def test_small_model_is_offered_while_there_is_none(hub: Hub, serve: Serve, tmp_path: Path) -> None:
    hub.add(OFFERED_REPO, OFFERED_FILE, gguf(1000), claims=1_117_000_000)
    before = len(hub.seen.requests)
    service = serve(HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="false")
    ann = await Person.of(service)
    command = f"llama-service models pull {OFFERED_REPO}:{OFFERED_FILE}"
    assert (await ann.http.get("/api/v1/models/offer")).json() == {
        "offer": {
            "name": OFFERED_FILE.removesuffix(".gguf"),
            "repo": OFFERED_REPO,
            "file": OFFERED_FILE,
            "size_bytes": 1_117_000_000,
            "license": "apache-2.0",
            "command": command,
        }
    }
    assert f"No language model is configured. `{command}` fetches" in service.log()
    assert "(1.1 GB, Apache-2.0)." in service.log()
    assert hub.seen.requests[before:] == [f"GET /api/models/{OFFERED_REPO}"], "the answer is kept"
    assert hub.seen.sent[OFFERED_FILE] == 0, "nothing is fetched unasked"
    (tmp_path / "mine.gguf").write_bytes(gguf(1000))
    admin = await Person.admin(service)
    async with listening(admin) as told:
        await pull(admin, str(tmp_path / "mine.gguf"))
        await told("mine", "ready")
    assert (await ann.http.get("/api/v1/models/offer")).json() == {"offer": None}
    await ann.aclose()
    await admin.aclose()


@pytest.mark.parametrize(
    "settings",
    [
        {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "false"},
        {"HF_HUB_OFFLINE": "true"},
        {"HF_HUB_OFFLINE": "false", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
    ],
    ids=["out of reach", "offline", "configured"],
)
async def test_nothing_is_offered_without_need_or_hub(hub: Hub, serve: Serve, settings: dict[str, str]) -> None:
    asked = len(hub.seen.requests)
    service = serve(**{"HF_ENDPOINT": hub.url, **settings})
    ann = await Person.of(service)
    assert (await ann.http.get("/api/v1/models/offer")).json() == {"offer": None}
    assert len(hub.seen.requests) == asked
    assert "No language model" not in service.log()
    await ann.aclose()
