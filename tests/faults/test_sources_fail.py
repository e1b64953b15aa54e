"""Sources that fail, are full, or lose an address: told in events, kept in the message, retried where it can be."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.people import Person
from tests.chats import Chat, Frame, check, text
from tests.fakes.upstream import Upstream
from tests.processes import Child, free_port
from tests.service import Service

ROOT = Path(__file__).parents[2]
ROWS = """
sources:
  - name: broken
    base_urls: [{down}]
    default_model: fake-n3
    fallback: [good/fake-n5]
  - name: good
    base_urls: [{up}]
    default_model: fake-n3
    models:
      - {{name: fake-n5, prompt_price: 1, completion_price: 2}}
  - name: hopeless
    base_urls: [{down}]
    fallback: [passages]
  - name: narrow
    base_urls: [{up}]
    max_concurrent: 1
    max_waiting: 1
  - name: pair
    base_urls: [{first}, {second}]
"""


class Process:
    """A fake model server in a process of its own, so that it can be killed."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "tests.fakes.upstream", str(self.port)]
        self.child = Child(command, log=folder / f"{self.port}.log", cwd=ROOT)

    async def wait(self) -> None:
        async with httpx.AsyncClient() as http:
            for _ in range(500):
                try:
                    await http.get(f"http://127.0.0.1:{self.port}/stats")
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                else:
                    return
        raise AssertionError("the fake server did not start")

    def kill(self) -> None:
        self.child.process.kill()
        self.child.process.wait()


@pytest.fixture(scope="module")
def model() -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Process]]:
    processes = [Process(tmp_path_factory.mktemp("upstream")) for _ in range(2)]
    yield processes
    for process in processes:
        process.child.end()


@pytest.fixture(scope="module")
def service(model: Upstream, pair: list[Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    rows = folder / "models.yaml"
    first, second = (f"http://127.0.0.1:{process.port}/v1" for process in pair)
    down = f"http://127.0.0.1:{free_port()}/v1"
    rows.write_text(ROWS.format(up=model.url, down=down, first=first, second=second))
    running = Service(folder, {"MODELS_CONFIG": str(rows), "FIRST_TOKEN_TIMEOUT_S": "5"})
    yield running
    running.kill()


@pytest.fixture
async def chat(service: Service) -> AsyncIterator[Chat]:
    person = await Person.of(service)
    yield Chat(person.http)
    await person.aclose()


def stages(frames: list[Frame]) -> list[str]:
    return [f.data["stage"] for f in frames if f.kind == "status"]


async def test_another_source_answers_and_everything_says_so(chat: Chat) -> None:
    frames = await chat.stream(model_source="broken")
    assert (frames[-1].kind, len(text(frames).split())) == ("done", 5)
    assert stages(frames)[-1] == "falling_back"
    fell = next(f.data for f in frames if f.data.get("stage") == "falling_back")
    assert (fell["model_source"], fell["model"]) == ("good", "fake-n5")
    assert "cannot reach" in fell["reason"]
    message = await chat.message(frames)
    assert (message["model_source"], message["model"]) == ("good", "fake-n5")
    usage = message["usage"]
    assert usage["fell_back_from"] == "broken/fake-n3"
    assert usage["attempts"] >= 2
    (entry,) = await chat.ledger(message["id"])
    assert entry["incidents"][-1] == {key: fell[key] for key in ("stage", "model_source", "model", "reason")}
    assert usage["cost"] == pytest.approx((usage["prompt_tokens"] + 2 * 5) / 1e6)


async def test_the_passages_are_the_last_resort(chat: Chat) -> None:
    frames = await chat.stream(model_source="hopeless")
    assert frames[-1].kind == "done"
    assert "No language model" in text(frames)
    assert (await chat.message(frames))["model_source"] == "passages"


async def test_who_waits_hears_the_place_and_is_served_next(chat: Chat, service: Service) -> None:
    async with chat.open(model_source="narrow", model="fake-n1000-d20") as first:
        await first.until("delta")
        other = await Person.of(service)
        async with Chat(other.http).open(model_source="narrow", model="fake-n3") as second:
            queued = await second.until("status")
            assert (queued.data["stage"], queued.data["position"]) == ("queued", 1)
            refused = await chat.ask(model_source="narrow", model="fake-n3")
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "model_unavailable")
            assert "wait already" in refused.json()["error"]["message"]
            assert int(refused.headers["Retry-After"]) > 0
            await chat.stop(first.run_id)
            frames = await second.rest()
        await first.rest()
        await other.aclose()
    check(frames)
    assert (frames[-1].kind, stages(frames)) == ("done", ["queued", "generating"])
    usage = next(f.data for f in frames if f.kind == "usage")
    assert usage["ttft_ms"] >= usage["queue_ms"] > 0


async def test_who_leaves_the_queue_is_never_asked_for(chat: Chat, model: Upstream) -> None:
    async with chat.open(model_source="narrow", model="fake-n1000-d20") as first:
        await first.until("delta")
        async with chat.open(model_source="narrow", model="fake-n4-d1") as second:
            await second.until("status")
            await chat.stop(second.run_id)
            frames = await second.rest()
        await chat.stop(first.run_id)
        await first.rest()
    assert (frames[-1].data["finish_reason"], text(frames)) == ("stopped", "")
    assert model.stats.models["fake-n4-d1"] == 0


async def test_an_address_that_is_killed_in_mid_load(chat: Chat, pair: list[Process]) -> None:
    await asyncio.gather(*(process.wait() for process in pair))

    async def ask(number: int) -> list[Frame]:
        await asyncio.sleep(number * 0.01)
        return await chat.stream(model_source="pair", model="fake-n30-d20-f100", use_rag=False)

    asking = [asyncio.create_task(ask(number)) for number in range(60)]
    await asyncio.sleep(0.5)
    pair[0].kill()
    answers = await asyncio.gather(*asking)
    ends = [frames[-1].kind for frames in answers]
    for frames in answers:
        if frames[-1].kind == "error":
            assert text(frames), "a chat that had not begun failed"
            assert frames[-1].data["code"] == "upstream_unavailable"
        else:
            assert len(text(frames).split()) == 30
    assert {"done", "error"} == set(ends)
    assert any("retrying" in stages(frames) for frames in answers)
