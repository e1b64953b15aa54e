"""A process that writes many runs into a journal and tells what its readers saw, until it is killed.

For each line `NAME SEED` on its input a new child is forked, which is cheaper than a new start; its pid is printed.
"""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

from app.core.enums import FinishReason
from app.schemas.chat import RunDone, TextDelta
from app.services.streams.journal import Journal, JournalWriter

DONE = RunDone(FinishReason.STOP, UUID(int=0))


def read_seen(path: Path) -> Iterator[tuple[str, bytes]]:
    """Runs and the frames that a reader had, as far as they were told in full."""
    data = path.read_bytes()
    while b"\n" in data:
        head, _, data = data.partition(b"\n")
        run, size = head.decode().split()
        if len(data) < int(size):
            return
        yield run, data[: int(size)]
        data = data[int(size) :]


class Writing:
    """Eight runs at a time; what readers get goes to the file `seen`."""

    def __init__(self, folder: Path, name: str, seed: int) -> None:
        self.journal = Journal(folder / "journal.db")
        self.seen = os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.name = name
        self.rng = random.Random(seed)

    async def all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for n in range(8):
                run = f"{self.name}.{n}"
                tasks.create_task(self.write(self.journal.open(run)))
                tasks.create_task(self.read(run))

    async def write(self, writer: JournalWriter) -> None:
        while True:
            writer.push(TextDelta(f"{writer.last} " + "x" * self.rng.randrange(200)))
            if self.rng.random() < 0.02:
                return writer.end(DONE, stored=False)
            await asyncio.sleep(0 if self.rng.random() < 0.7 else 0.0005)

    async def read(self, run: str) -> None:
        tail = self.journal.tail(run, 0)
        assert tail is not None
        async for frames in tail:
            os.write(self.seen, f"{run} {len(frames)}\n".encode() + frames)
        await asyncio.Event().wait()


async def write_until_killed(folder: Path, name: str, seed: int) -> None:
    await Writing(folder, name, seed).all()


def main(folder: Path) -> None:
    for line in sys.stdin:
        name, seed = line.split()
        pid = os.fork()
        if pid == 0:
            asyncio.run(write_until_killed(folder, name, int(seed)))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
