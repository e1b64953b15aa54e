"""kill -9 at random moments: what a client saw is kept, the answer is marked interrupted and can go on."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import httpx

from app.services.streams.base import read_frames
from app.services.streams.journal import Journal
from tests.api.people import Person
from tests.chats import Chat, Frame, check, text
from tests.conftest import Serve
from tests.fakes.upstream import Upstream
from tests.faults.journal_child import read_seen
from tests.service import ROOT

JOURNAL_KILLS = 100
SERVICE_KILLS = 10
NAMES = [
    "fake-n100000-d5",
    "fake-n100000-d20",
    "fake-n100000-b20-d1",
    "fake-q30-n100000-d5",
    "fake-f60000",
    "fake-n30-d2",
]


async def test_a_hundred_kills_of_the_journal(tmp_path: Path) -> None:
    rng, frames = random.Random(11), 0
    command = [sys.executable, "-m", "tests.faults.journal_child", str(tmp_path)]
    parent = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent:
        for kill in range(JOURNAL_KILLS):
            parent.stdin.write(f"kill{kill} {kill}\n")
            parent.stdin.flush()
            pid, seen = int(parent.stdout.readline()), tmp_path / f"kill{kill}"
            await until_written(seen, rng.randrange(1, 30_000))
            os.kill(pid, signal.SIGKILL)
            frames += await compare(tmp_path / "journal.db", seen)
        parent.stdin.close()
    assert frames > 10 * JOURNAL_KILLS


async def until_written(path: Path, size: int) -> None:
    async with asyncio.timeout(30):
        while not path.exists() or path.stat().st_size < size:  # noqa: ASYNC110, ASYNC240 - another process writes
            await asyncio.sleep(0.001)


async def compare(journal_file: Path, seen: Path) -> int:
    """Every frame that a reader had is in the file, in its place. Gives their number."""
    shown = defaultdict(bytes)
    for run, frames in read_seen(seen):
        shown[run] += frames
    journal, count = Journal(journal_file), 0
    left = journal.left_behind(list(shown))
    for run, data in shown.items():
        read = list(read_frames(data))
        assert left[run].frames()[: len(read)] == read
        count += len(read)
    journal.forget_left_behind()
    await journal.aclose()
    return count


async def test_kills_of_the_service(serve: Serve, upstream: Upstream) -> None:
    """The whole group and the parent alone, in turns; each time on the same folder, at once."""
    rng, service = random.Random(5), serve(OPENAI_BASE_URL=upstream.url)
    person = await Person.of(service)
    chat = Chat(person.http)
    for kill in range(SERVICE_KILLS):
        seen: list[list[Frame]] = [[] for _ in NAMES]
        readers = [asyncio.create_task(read(chat, name, frames)) for name, frames in zip(NAMES, seen, strict=True)]
        await until_all_begin(seen)
        await asyncio.sleep(rng.random() * 0.4)
        killed = service.child
        if kill % 2:
            killed.kill_parent_only()
        else:
            killed.kill()
        await asyncio.gather(*readers)
        service.start()
        killed.kill()
        await asyncio.gather(*(same_after_restart(chat, frames) for frames in seen))
        await goes_on(chat, seen[0])
    await person.aclose()


async def until_all_begin(seen: list[list[Frame]]) -> None:
    async with asyncio.timeout(30):
        while not all(seen):  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.005)


async def read(chat: Chat, model: str, frames: list[Frame]) -> None:
    with contextlib.suppress(httpx.TransportError):
        async with chat.open(f"ask {model}", model=model) as tail:
            tail.frames = frames
            await tail.rest()


async def same_after_restart(chat: Chat, seen: list[Frame]) -> None:
    message = await chat.message(seen)
    run_id, last = seen[0].data["run_id"], seen[-1].id
    rest = await chat.resume(run_id, last)
    assert message["content"] == text(seen) + text(rest)
    assert message["reasoning"] in (None, "") or thought(seen) + thought(rest) == message["reasoning"]
    if seen[-1].kind == "done":
        assert (rest, message["status"]) == ([], "complete")
        return
    check(rest, after=last)
    assert (rest[-1].kind, message["status"]) == ("done", message["status"])
    assert message["status"] in {"interrupted", "complete"}
    assert rest[-1].data["finish_reason"] == message["finish_reason"]
    whole = await chat.resume(run_id)
    check(whole)
    assert text(whole) == message["content"]
    if "generating" in [f.data.get("stage") for f in seen if f.kind == "status"]:
        assert len(await chat.ledger(message["id"])) == 1


def thought(frames: list[Frame]) -> str:
    return "".join(f.data["text"] for f in frames if f.kind == "reasoning")


async def goes_on(chat: Chat, seen: list[Frame]) -> None:
    before = await chat.message(seen)
    assert before["status"] == "interrupted"
    more = await chat.stream(None, model="fake-n3", **{"continue": before["id"]})
    after = await chat.message(seen)
    assert (after["status"], after["content"]) == ("complete", before["content"] + text(more))
    old = await chat.resume(seen[0].data["run_id"])
    assert (text(old), old[-1].data["finish_reason"]) == (before["content"], "interrupted")
