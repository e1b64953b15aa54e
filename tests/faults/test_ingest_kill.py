"""An upload that was acknowledged is never lost: the service is killed in every state of a file and restarted."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from app.rag.vectors import ChromaProcess
from tests.api.people import PASSWORD, Person
from tests.conftest import Serve
from tests.documents import text_pdf
from tests.service import Service

PAGES = 60
WORDS = "harbour crane ledger violin copper meadow lantern orbit thistle quarry".split()  # noqa: SIM905
STATES = ["stored", "parsing", "embedding", "indexing"]
SOON_S = 60


def document() -> bytes:
    """Sixty pages of several chunks each, no two alike."""
    chance = random.Random(7)
    return text_pdf(
        [
            "\n".join(f"{page}.{line} " + " ".join(chance.choices(WORDS, k=12)) + "." for line in range(18))
            for page in range(1, PAGES + 1)
        ]
    )


def row(service: Service, file_id: str) -> dict[str, object]:
    with closing(sqlite3.connect(service.data_dir / "rows.db")) as rows:
        rows.row_factory = sqlite3.Row
        return dict(rows.execute("SELECT * FROM files WHERE id = ?", [UUID(file_id).hex]).fetchone())


def files_of(service: Service) -> list[Path]:
    return [path for path in (service.data_dir / "files").rglob("*") if path.is_file()]


def number(service: Service, query: str, file_id: str) -> int:
    with closing(sqlite3.connect(service.data_dir / "rows.db")) as rows:
        return int(rows.execute(query, [UUID(file_id).hex]).fetchone()[0])


async def until_state(service: Service, file_id: str, state: str) -> None:
    """Wait until the file is there or past it. A state that is over in a moment may be missed: then it is too late."""
    order = [*STATES, "ready"]
    async with asyncio.timeout(SOON_S):
        while order.index(str(row(service, file_id)["status"])) < order.index(state):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.005)


async def vectors_of(service: Service, owner: str, file_id: str) -> int:
    store = ChromaProcess(service.data_dir / "vectors", prefix="documents")
    try:
        return await store.count(UUID(owner), UUID(file_id))
    finally:
        await store.aclose()


async def sign_in(service: Service, username: str) -> Person:
    async with service.client() as client:
        answer = await client.post("/api/v1/auth/login", json={"username": username, "password": PASSWORD})
    return Person(service, token=answer.json()["access_token"])


async def upload(service: Service, username: str) -> str:
    async with service.client() as client:
        body = {"username": username, "password": PASSWORD}
        (await client.post("/api/v1/auth/register", json=body)).raise_for_status()
    person = await sign_in(service, username)
    accepted = await person.upload(document(), name="sixty.pdf")
    await person.aclose()
    assert accepted.status_code == 202
    return str(accepted.json()["id"])


async def check_ready(service: Service, username: str, file_id: str) -> None:
    """Ready, whole, and nothing of it twice."""
    person = await sign_in(service, username)
    file = await person.until_final(file_id)
    await person.aclose()
    assert (file["status"], file["pages_done"], file["error"]) == ("ready", PAGES, None)
    service.stop()
    stored = row(service, file_id)
    total = stored["chunks_total"]
    assert number(service, "SELECT count(*) FROM file_pages WHERE file_id = ?", file_id) == PAGES
    assert number(service, "SELECT count(*) FROM chunks WHERE file_id = ?", file_id) == total
    assert number(service, "SELECT count(DISTINCT char_from) FROM chunks WHERE file_id = ?", file_id) == total
    assert await vectors_of(service, str(stored["user_id"]), file_id) == total
    assert [path.name for path in files_of(service)] == [file_id]


@pytest.mark.parametrize("group", [True, False], ids=["whole group", "parent alone"])
async def test_a_file_ends_ready_however_often_its_reader_is_killed(serve: Serve, group: bool) -> None:
    chance = random.Random(11 if group else 12)
    service = serve()
    file_id = await upload(service, "ann")
    killed = []
    for state in STATES:
        await until_state(service, file_id, state)
        await asyncio.sleep(chance.uniform(0, 0.15))
        killed.append(service.child)
        if group:
            service.kill()
        else:
            service.child.kill_parent_only()
        service.start()
    for child in killed:
        child.kill()
    await check_ready(service, "ann", file_id)


async def test_a_restart_takes_over_at_once_on_postgresql(serve: Serve, postgres_url: str) -> None:
    """Executors tell each other by heartbeats there, but a folder's own past is known to be dead."""
    service = serve(DATABASE_URL=postgres_url)
    file_id = await upload(service, "ann")
    person = await sign_in(service, "ann")
    async with asyncio.timeout(SOON_S):
        while not (await person.http.get(f"/api/v1/files/status/{file_id}")).json()["chunks_done"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    service.kill()
    service.start()
    file = await person.until_final(file_id)
    hits = (await person.search("harbour crane ledger", limit=100)).json()["items"]
    await person.aclose()
    assert (file["status"], file["pages_done"], file["attempt"]) == ("ready", PAGES, 1)
    assert len({hit["char_from"] for hit in hits}) == len(hits) == 100


async def test_an_upload_that_was_cut_off_leaves_nothing(serve: Serve) -> None:
    service = serve()
    async with service.client() as client:
        (await client.post("/api/v1/auth/register", json={"username": "ann", "password": PASSWORD})).raise_for_status()
    person = await sign_in(service, "ann")
    half_way = asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        for _ in range(4):
            yield b"word " * 2**20
        half_way.set()
        await asyncio.Event().wait()

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    sending = asyncio.create_task(person.http.post("/api/v1/files/upload", content=slowly(), headers=headers))
    await half_way.wait()
    async with asyncio.timeout(SOON_S):
        while not files_of(service):  # noqa: ASYNC110 - another process writes
            await asyncio.sleep(0.01)
    service.kill()
    sending.cancel()
    await asyncio.wait({sending})
    service.start()
    assert (await person.http.get("/api/v1/files")).json()["items"] == []
    await person.aclose()
