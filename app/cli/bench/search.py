"""What a search costs in a large house: CPU of the service and its children per question, for one user's library."""

import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import httpx
import numpy as np

from app.cli.bench import subject
from app.cli.bench.load import percentile
from app.cli.bench.machine import tree_cpu_s
from app.cli.bench.relay import Say
from app.cli.bench.subject import Service
from app.cli.bench.table import Cell, Table
from app.core import data_folder
from app.core.enums import FileStatus, Role, SearchMode
from app.core.security import hash_password
from app.core.settings import DocumentSettings
from app.crud import chunks, users
from app.db.migrations import migrate
from app.db.models import Chunk, File
from app.db.session import Database
from app.rag.embedders.minilm import MiniLM
from app.rag.vectors import ChromaProcess
from app.services.splitting import fingerprint

LIBRARY: Final = 1000  # chunks of an ordinary user
FILE: Final = 500  # chunks of a file
BIG_SHARE: Final = 5  # one library has a fifth of all chunks
STEP: Final = 500
PREFIX: Final = "documents"
BUDGET_MS: Final = "30"
COLUMNS: Final = ["what is searched", "mode", "CPU ms p50", "p95", "budget", "wall ms p50", "p95"]
MODES: Final = (SearchMode.TEXT, SearchMode.DENSE, SearchMode.HYBRID)
SYLLABLES: Final = ("ba", "del", "fi", "gor", "hum", "ke", "lon", "mi", "nar", "pos", "qui", "rat", "su", "tev", "wol")
# As words are in texts, the commonest left out: a word's share falls with its rank.
WORDS: Final = ["".join(parts) for parts in itertools.product(SYLLABLES, repeat=4)][:30_000]
SHARES: Final = list(itertools.accumulate(1 / (rank + 100) for rank in range(len(WORDS))))


@dataclass(frozen=True, slots=True)
class Made:
    """A user with files."""

    id: UUID
    name: str
    files: tuple[UUID, ...]


async def search(total: int, queries: int, say: Say) -> list[Table]:
    """One table: an ordinary library and one file of a big one, in each mode."""
    with subject.folder() as where:
        async with _stores(where / "data") as (db, vectors):
            say(f"storing {total:,} passages with random vectors")
            small, big = await _fill(db, vectors, total, say)
        with subject.service(where) as service:
            service.wait_healthy()
            cases: list[tuple[str, Made, Sequence[UUID] | None]] = [(f"a library of {LIBRARY:,} passages", small, None)]
            cases.append((f"one file of {FILE:,} in a library of {total // BIG_SHARE:,}", big, big.files[:1]))
            cases.append((f"a library of {total // BIG_SHARE:,}", big, None))
            title = f"A search over {total:,} passages of {total // LIBRARY:,} libraries' size, service and children"
            table = Table(title, COLUMNS)
            for name, user, files in cases:
                client = _signed_in(service, user.name)
                for mode in MODES:
                    say(f"{name}, {mode}")
                    table.rows.append(_measured(service, client, (name, mode, files), queries, table.faults))
    return [table]


@asynccontextmanager
async def _stores(folder: Path) -> AsyncIterator[tuple[Database, ChromaProcess]]:
    data_folder.make(folder)
    url = f"sqlite+aiosqlite:///{folder / 'rows.db'}"
    await migrate(url)
    db, vectors = Database(url), ChromaProcess(folder / "vectors", prefix=PREFIX)
    try:
        yield db, vectors
    finally:
        await vectors.aclose()
        await db.aclose()


async def _fill(db: Database, vectors: ChromaProcess, total: int, say: Say) -> tuple[Made, Made]:
    chance = random.Random(7)  # noqa: S311 - the same words each time
    hashed, stored, last = hash_password(subject.PASSWORD), 0, None
    big = await _user(db, vectors, (hashed, total // BIG_SHARE), chance)
    stored += total // BIG_SHARE
    while last is None or stored < total:
        last = await _user(db, vectors, (hashed, LIBRARY), chance)
        stored += LIBRARY
        if stored % (10 * LIBRARY) == 0:
            say(f"{stored:,} stored")
    return last, big


async def _user(db: Database, vectors: ChromaProcess, given: tuple[str, int], chance: random.Random) -> Made:
    hashed, count = given
    name = f"bench-{uuid4().hex[:12]}"
    make = partial(users.create, username=name, email=None, password_hash=hashed, role=Role.USER)
    owner = (await db.write(make)).id
    made = []
    for _ in range(0, count, FILE):
        file_id = uuid4()
        made.append(file_id)
        await _file(db, vectors, (owner, file_id), chance)
    return Made(owner, name, tuple(made))


async def _file(db: Database, vectors: ChromaProcess, ids: tuple[UUID, UUID], chance: random.Random) -> None:
    owner, file_id = ids
    kind = MiniLM.fingerprint
    whole = fingerprint(kind, DocumentSettings(_env_file=None), MiniLM.max_tokens)
    found = np.random.default_rng(file_id.int % 2**32).normal(size=(FILE, MiniLM.dimension)).astype(np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    await vectors.add(owner, file_id, range(FILE), found, space=kind)
    async with db.begin() as session:
        session.add(
            File(
                id=file_id,
                user_id=owner,
                name="bench.pdf",
                media_type="application/pdf",
                size_bytes=1,
                sha256="",
                status=FileStatus.READY,
                fingerprint=whole,
                chunks_total=FILE,
                chunks_done=FILE,
            )
        )
        await session.flush()
        for first in range(0, FILE, STEP):
            rows = [_chunk(ids, first + n, chance, whole) for n in range(min(STEP, FILE - first))]
            await chunks.add(session, rows)


def _chunk(ids: tuple[UUID, UUID], ordinal: int, chance: random.Random, whole: str) -> Chunk:
    text = " ".join(chance.choices(WORDS, cum_weights=SHARES, k=150))
    return Chunk(
        user_id=ids[0],
        file_id=ids[1],
        ordinal=ordinal,
        page_from=ordinal // 3 + 1,
        page_to=ordinal // 3 + 1,
        char_from=ordinal * 1000,
        char_to=ordinal * 1000 + len(text),
        text=text,
        fingerprint=whole,
    )


def _signed_in(service: Service, name: str) -> httpx.Client:
    body = {"username": name, "password": subject.PASSWORD}
    token = service.http.post("/api/v1/auth/login", json=body).raise_for_status().json()["access_token"]
    return httpx.Client(base_url=service.http.base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def _measured(
    service: Service,
    client: httpx.Client,
    asked: tuple[str, SearchMode, Sequence[UUID] | None],
    queries: int,
    faults: list[str],
) -> list[Cell]:
    """The first questions are not counted: they load the model and read the library."""
    name, mode, files = asked
    chance = random.Random(11)  # noqa: S311
    cpu: list[float] = []
    wall: list[float] = []
    for number in itertools.count(-5):
        if number == queries:
            break
        body = {"query": " ".join(chance.choices(WORDS, cum_weights=SHARES, k=8)), "mode": mode, "limit": 10}
        if files is not None:
            body["file_ids"] = [str(file_id) for file_id in files]
        cpu_before, before = tree_cpu_s(service.pid), time.perf_counter()
        answer = client.post("/api/v1/search", json=body)
        if number >= 0:
            wall.append((time.perf_counter() - before) * 1000)
            cpu.append((tree_cpu_s(service.pid) - cpu_before) * 1000)
        if answer.status_code != httpx.codes.OK or not answer.json()["items"] or answer.json()["mode"] != mode:
            faults.append(f"{name}, {mode}: {answer.status_code} {answer.text[:200]}")
            break
    cpu_ms, wall_ms = [percentile(cpu, 0.5), percentile(cpu, 0.95)], [percentile(wall, 0.5), percentile(wall, 0.95)]
    return [name, mode, *cpu_ms, BUDGET_MS, *wall_ms]
