"""Connections that break and come back: the same frames for all, while it runs, after it and after a restart."""

import asyncio
import random

from tests.api.people import Person
from tests.chats import Chat, Frame, check, text
from tests.conftest import Serve
from tests.fakes.upstream import Upstream


async def read_with_drops(chat: Chat, run_id: str, rng: random.Random) -> list[Frame]:
    """Read to the end over a connection that breaks after a few frames, each time resumed after the last one."""
    frames: list[Frame] = []
    async with asyncio.timeout(60):
        while not frames or frames[-1].kind not in {"done", "error"}:
            async with chat.reopen(run_id, after=frames[-1].id if frames else 0) as tail:
                left = rng.choice((1, 2, 5, 20, 1000))
                async for frame in tail._reading:
                    frames.append(frame)
                    left -= 1
                    if left == 0:
                        break
    return frames


async def test_drops_of_many_clients_change_nothing(serve: Serve, upstream: Upstream) -> None:
    rng, service = random.Random(3), serve(OPENAI_BASE_URL=upstream.url)
    person = await Person.of(service)
    chat = Chat(person.http)
    whole: list[list[Frame]] = []
    for model in ("fake-n150-d2-q20", "fake-n300-d1-b7", "fake-n40-d10", "fake-n60-d2-x50"):
        async with chat.open(model=model) as tail:
            await tail.until("run")
            dropping = [read_with_drops(chat, tail.run_id, rng) for _ in range(3)]
            first, *others = await asyncio.gather(tail.rest(), *dropping)
        check(first)
        assert [f.id for f in first] == list(range(1, len(first) + 1))
        assert all(frames == first for frames in others)
        whole.append(first)

    assert service.stop() == 0
    service.start()
    for first in whole:
        await same_from_the_rows(chat, first, rng)
    await person.aclose()


async def same_from_the_rows(chat: Chat, first: list[Frame], rng: random.Random) -> None:
    """The log has let go: text comes as one frame, and whoever saw part of it gets the rest."""
    run_id = first[0].data["run_id"]
    for after in {0, 1, 2, len(first) - 1, len(first), len(first) + 5, *(rng.randrange(len(first)) for _ in range(8))}:
        rest = await chat.resume(run_id, after)
        assert text(first[:after]) + text(rest) == text(first)
        assert [f.kind for f in first[:after] + rest].count("run") == 1
        if after < len(first):
            check(rest, after=after)
            assert rest[-1] == first[-1]
        else:
            assert rest == []
    again = await read_with_drops(chat, run_id, rng)
    assert text(again) == text(first)
    check(again)


async def test_shutdown_ends_every_stream_and_keeps_it(serve: Serve, upstream: Upstream) -> None:
    service = serve(OPENAI_BASE_URL=upstream.url, SHUTDOWN_TIMEOUT_S="120")  # longer than the test waits for the end
    person = await Person.of(service)
    chat = Chat(person.http)
    models = ["fake-n100000-d5", "fake-f60000", "fake-n5-s3", "fake-e503-r30"]
    readers = [asyncio.create_task(read(chat, model)) for model in models]
    whole = asyncio.create_task(chat.ask(model="fake-n100000-d5"))
    events = asyncio.create_task(person.http.get("/api/v1/events"))
    async with asyncio.timeout(30):
        while sum(upstream.stats.models.values()) < 5:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
    assert await asyncio.to_thread(service.stop) == 0
    streams = await asyncio.gather(*readers)
    for frames in streams:
        check(frames)
        assert (frames[-1].kind, frames[-1].data["finish_reason"]) == ("done", "interrupted")
    assert (await whole).json()["message"]["status"] == "interrupted"
    assert (await events).status_code == 200
    assert "Traceback" not in service.log()

    service.start()
    for frames in streams:
        message = await chat.message(frames)
        assert (message["status"], message["content"]) == ("interrupted", text(frames))
        assert await chat.resume(frames[0].data["run_id"], frames[-1].id) == []
    await person.aclose()


async def read(chat: Chat, model: str) -> list[Frame]:
    async with chat.open(model=model) as tail:
        return await tail.rest()
