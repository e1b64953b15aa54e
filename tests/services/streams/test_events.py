"""Events of a user: kept, resumed, replaced by newer ones of the same subject, ended at shutdown."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import msgspec

from app.services.streams.events import MAX_KEPT, UserEvents

ANN, BOB = uuid4(), uuid4()


class Note(msgspec.Struct):
    word: str


def parsed(frame: bytes) -> tuple[int, str, str]:
    lines = dict(line.split(": ", 1) for line in frame.decode().strip().splitlines())
    return int(lines["id"]), lines["event"], msgspec.json.decode(lines["data"])["word"]


async def take(frames: AsyncIterator[bytes], number: int) -> list[tuple[int, str, str]]:
    async with asyncio.timeout(10):
        return [parsed(await anext(frames)) for _ in range(number)]


async def test_readers_get_their_own_users_events_as_they_come() -> None:
    events = UserEvents()
    readers = [events.tail(ANN, None), events.tail(ANN, None), events.tail(BOB, None)]
    waiting = [asyncio.create_task(take(reader, 1)) for reader in readers]
    await asyncio.sleep(0)
    events.publish(ANN, "file", Note("for Ann"))
    events.publish(BOB, "job", b'{"word":"for Bob"}')
    found = [(await task)[0][1:] for task in waiting]
    assert found == [("file", "for Ann"), ("file", "for Ann"), ("job", "for Bob")]


async def test_a_reader_resumes_after_the_id_it_knows_and_ids_grow() -> None:
    events = UserEvents()
    for word in "abcd":
        events.publish(ANN, "job", Note(word))
    everything = await take(events.tail(ANN, 0), 4)
    assert [word for _, _, word in everything] == list("abcd")
    ids = [number for number, _, _ in everything]
    assert ids == sorted(set(ids))
    assert await take(events.tail(ANN, ids[1]), 2) == everything[2:]
    await asyncio.sleep(0.02)  # ids begin with the time: no restart is quicker than this
    restarted = UserEvents()
    restarted.publish(ANN, "job", Note("later"))
    assert (await take(restarted.tail(ANN, ids[-1]), 1))[0][2] == "later"


async def test_only_the_newest_event_of_a_subject_is_kept() -> None:
    events = UserEvents()
    reader = events.tail(ANN, 0)
    for n in range(MAX_KEPT * 3):
        events.publish(ANN, "file", Note(f"one {n}"), subject="one")
    events.publish(ANN, "file", Note("other"), subject="other")
    assert [word for _, _, word in await take(reader, 2)] == [f"one {MAX_KEPT * 3 - 1}", "other"]


async def test_what_is_kept_is_bounded() -> None:
    events = UserEvents()
    for n in range(MAX_KEPT + 7):
        events.publish(ANN, "job", Note(str(n)))
    words = [word for _, _, word in await take(events.tail(ANN, 0), MAX_KEPT)]
    assert words == [str(n) for n in range(7, MAX_KEPT + 7)]


async def test_closing_ends_every_reader() -> None:
    events = UserEvents()

    async def read_all() -> list[bytes]:
        return [frame async for frame in events.tail(ANN, None)]

    tasks = [asyncio.create_task(read_all()) for _ in range(3)]
    await asyncio.sleep(0)
    events.close()
    async with asyncio.timeout(10):
        assert await asyncio.gather(*tasks) == [[], [], []]
        assert await read_all() == []
