"""Pulls in the background: joined, limited, told to who asked, cancelled, ended by a shutdown."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from app.core.enums import PullState
from app.core.errors import Conflict, NotFound, RateLimited, UnknownName, UpstreamRefused
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import Progress
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.store import Store
from app.services.pulls import Pull, Pulls
from app.services.streams.events import UserEvents
from tests.fakes.hub import gguf

SOON_S = 20


class Scripted:
    """A model server that fetches its own models; each waits at half until it is let go."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.begun: list[str] = []
        self.closed: list[str] = []

    async def pull(self, name: str) -> AsyncIterator[Progress]:
        self.begun.append(name)
        try:
            if name == "refused":
                raise UpstreamRefused("there is no such model")
            if name == "broken":
                raise ZeroDivisionError
            yield Progress(PullState.DOWNLOADING, 50, 100)
            await self.go_on.wait()
            for done in range(50, 100):
                yield Progress(PullState.DOWNLOADING, done, 100)
        finally:
            self.closed.append(name)


class Heard:
    """The `model` events of one user."""

    def __init__(self, events: UserEvents) -> None:
        self.user_id = uuid4()
        self.events: list[dict[str, object]] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen(events))

    async def _listen(self, events: UserEvents) -> None:
        async for frame in events.tail(self.user_id, 0):
            lines = dict(line.split(b": ", 1) for line in frame.splitlines() if line)
            assert lines[b"event"] == b"model"
            self.events.append(msgspec.json.decode(lines[b"data"]))
            self._news.set()

    async def until(self, name: str, state: str) -> dict[str, object]:
        async with asyncio.timeout(SOON_S):
            while True:
                for event in self.events:
                    if (event["name"], event["state"]) == (name, state):
                        return event
                self._news.clear()
                await self._news.wait()


class Desk:
    """Pulls over a folder of its own and a scripted model server."""

    def __init__(self, tmp_path: Path) -> None:
        settings = ModelFileSettings(hf_hub_offline=True, _env_file=None)  # type: ignore[call-arg]
        self.folder = ModelFolder(settings, tmp_path / "data")
        self.store = Store(self.folder, settings)
        self.events = UserEvents()
        self.server = Scripted()
        self.pulls = Pulls(self.store, self.events, others={"server": self.server})
        self.ann, self.bob = Heard(self.events), Heard(self.events)

    async def start(self, name: str, user_id: UUID | None = None) -> Pull:
        return await self.pulls.start(user_id or self.ann.user_id, name, model_source="server")

    async def aclose(self) -> None:
        await self.pulls.aclose()
        await self.store.aclose()
        self.events.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.aclose()


async def test_progress_and_end_are_told_to_who_asked_alone(desk: Desk) -> None:
    pull = await desk.start("llama")
    half = await desk.ann.until("llama", "downloading")
    assert (half["progress"], half["bytes_done"], half["bytes_total"], half["model_source"]) == (0.5, 50, 100, "server")
    desk.server.go_on.set()
    ready = await desk.ann.until("llama", "ready")
    assert (ready["progress"], ready["error"]) == (1.0, None)
    assert desk.bob.events == []
    assert len([event for event in desk.ann.events if event["state"] == "downloading"]) < 10, "a few a second"
    assert [shown.state for shown in desk.pulls.shown()] == [PullState.READY] == [pull.state]


async def test_second_request_joins_the_first(desk: Desk) -> None:
    first = await desk.start("llama")
    assert await desk.start("llama", desk.bob.user_id) is first
    desk.server.go_on.set()
    await desk.bob.until("llama", "ready")
    assert desk.server.begun == ["llama"]
    again = await desk.start("llama")
    await desk.ann.until("llama", "ready")
    assert again is not first
    assert len(desk.pulls.shown()) == 1


async def test_two_at_once_and_the_others_wait(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        await desk.start(name)
    await desk.ann.until("b", "downloading")
    assert desk.server.begun == ["a", "b"]
    assert (await desk.ann.until("c", "queued"))["progress"] is None
    await desk.pulls.cancel("a", model_source="server")
    await desk.ann.until("c", "downloading")
    desk.server.go_on.set()
    await desk.ann.until("c", "ready")


async def test_too_many_are_refused(desk: Desk) -> None:
    for number in range(20):
        await desk.start(str(number))
    with pytest.raises(RateLimited):
        await desk.start("one more")
    assert await desk.start("7") is not None


async def test_cancelled_pull_closes_its_source(desk: Desk) -> None:
    await desk.start("llama")
    await desk.ann.until("llama", "downloading")
    await desk.pulls.cancel("llama", model_source="server")
    assert desk.server.closed == ["llama"]
    await desk.ann.until("llama", "cancelled")
    await desk.pulls.cancel("llama", model_source="server")
    assert desk.pulls.shown() == []
    with pytest.raises(UnknownName):
        await desk.pulls.cancel("llama", model_source="server")


async def test_cancelled_before_it_ran(desk: Desk) -> None:
    await desk.start("llama")
    await desk.pulls.cancel("llama", model_source="server")
    await desk.ann.until("llama", "cancelled")
    await desk.start("llama")
    desk.server.go_on.set()
    await desk.ann.until("llama", "ready")


@pytest.mark.parametrize(("name", "code"), [("refused", "upstream_refused"), ("broken", "internal")])
async def test_failure_is_told_with_its_reason(desk: Desk, name: str, code: str) -> None:
    await desk.start(name)
    error = (await desk.ann.until(name, "failed"))["error"]
    assert isinstance(error, dict)
    assert error["code"] == code
    assert desk.server.closed == [name]
    await desk.start("llama")
    await desk.ann.until("llama", "downloading")


async def test_shutdown_ends_all(desk: Desk) -> None:
    for name in ("a", "b", "c"):
        await desk.start(name)
    await desk.ann.until("b", "downloading")
    await desk.pulls.aclose()
    assert sorted(desk.server.closed) == ["a", "b"]


async def test_local_models_are_pulled_and_removed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf(5000))
    pull = await desk.pulls.start(desk.ann.user_id, str(tmp_path / "mine.gguf"))
    assert (pull.name, pull.file, pull.bytes_total) == ("mine", "mine.gguf", 5000)
    ready = await desk.ann.until("mine", "ready")
    assert (ready["bytes_done"], ready["bytes_total"]) == (5000, 5000)
    await desk.pulls.remove("mine")
    with pytest.raises(UnknownName):
        await desk.pulls.remove("mine")


async def test_model_that_is_being_pulled_is_not_removed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf(5000))
    for name in ("a", "b"):
        await desk.start(name)
    await desk.pulls.start(desk.ann.user_id, str(tmp_path / "mine.gguf"))
    with pytest.raises(Conflict, match="cancel that first"):
        await desk.pulls.remove("mine")


async def test_unknown_source_and_model_are_refused_at_once(desk: Desk) -> None:
    with pytest.raises(UnknownName, match="known: local, server"):
        await desk.pulls.start(desk.ann.user_id, "x", model_source="nobody")
    with pytest.raises(NotFound):
        await desk.pulls.start(desk.ann.user_id, "/nowhere/x.gguf")
    assert desk.pulls.shown() == []
