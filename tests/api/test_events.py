"""The stream of events: progress of a user's files, resumed, apart from other users', ended by a shutdown."""

import asyncio
import signal
from collections.abc import AsyncIterator

import msgspec

from tests.api.people import Person
from tests.documents import text_pdf
from tests.service import Service

Frame = tuple[int, str, dict[str, object]]


async def frames(person: Person, *, after: int | None = None) -> AsyncIterator[Frame]:
    headers = {} if after is None else {"Last-Event-ID": str(after)}
    async with person.http.stream("GET", "/api/v1/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                yield int(fields["id"]), fields["event"], msgspec.json.decode(fields["data"])
                fields = {}


async def until_ready(person: Person, *, after: int | None = None) -> list[Frame]:
    seen: list[Frame] = []
    async with asyncio.timeout(60):
        async for frame in frames(person, after=after):
            seen.append(frame)
            if frame[2]["status"] == "ready":
                return seen
    return seen


async def test_the_progress_of_a_file_comes_as_events_and_can_be_resumed(ann: Person) -> None:
    following = asyncio.create_task(until_ready(ann, after=0))
    uploaded = (await ann.upload(text_pdf([f"Page {n} of the violin." for n in range(40)]), name="a.pdf")).json()
    seen = await following
    assert {kind for _, kind, _ in seen} == {"file"}
    assert {data["id"] for _, _, data in seen} == {uploaded["id"]}
    ids = [number for number, _, _ in seen]
    assert ids == sorted(set(ids))
    done = [data["pages_done"] for _, _, data in seen]
    assert done == sorted(done)  # type: ignore[type-var]
    assert (done[-1], seen[-1][2]["chunks_done"]) == (40, seen[-1][2]["chunks_total"])
    resumed = await until_ready(ann, after=ids[-1] - 1)
    assert resumed == [seen[-1]]


async def test_the_end_of_a_file_is_told_and_replaces_what_was_told_before(ann: Person) -> None:
    file = await ann.ready(b"The harbour of Ann.")
    conversation = (await ann.http.post("/api/v1/conversations", json={})).json()["id"]
    inside = await ann.ready(b"The harbour of a conversation.", conversation_id=conversation)
    await ann.http.delete(f"/api/v1/files/{file}")
    await ann.http.delete(f"/api/v1/conversations/{conversation}")
    told: dict[object, object] = {}
    async with asyncio.timeout(30):
        async for _, kind, data in frames(ann, after=0):
            told[data["id"]] = data.get("change", data.get("status"))
            if kind == "conversation" and told[conversation] == "deleted":
                break
    assert (told[file], told[inside]) == ("deleted", "deleted")


async def test_nobody_hears_of_anothers_files(service: Service, ann: Person) -> None:
    bob = await Person.of(service)
    following = asyncio.create_task(until_ready(bob, after=0))
    theirs = await ann.ready(b"The harbour of Ann.")
    own = await bob.ready(b"The harbour of Bob.")
    heard = {data["id"] for _, _, data in await following}
    assert heard == {own}
    assert theirs not in heard
    await bob.aclose()


async def test_who_is_not_signed_in_hears_nothing(service: Service) -> None:
    async with service.client() as nobody:
        assert (await nobody.get("/api/v1/events")).status_code == 401


async def test_a_wrong_last_event_id_is_refused(ann: Person) -> None:
    answer = await ann.http.get("/api/v1/events", headers={"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422


async def test_a_shutdown_ends_the_stream(service: Service) -> None:
    person = await Person.of(service)
    heard: list[Frame] = []
    listening = asyncio.Event()

    async def listen() -> None:
        async for frame in frames(person, after=0):
            heard.append(frame)
            listening.set()

    task = asyncio.create_task(listen())
    await person.ready(b"The harbour.")
    await listening.wait()
    assert await asyncio.to_thread(service.stop) in {0, -signal.SIGTERM}
    async with asyncio.timeout(10):
        await task
    await person.aclose()
