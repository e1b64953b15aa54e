"""Another embedder is set and the service is killed while it builds the new index: search never fails or mixes."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.api.people import Person
from tests.cli.program import run
from tests.conftest import Serve
from tests.fakes.embeddings import Embeddings
from tests.faults.test_ingest_kill import document
from tests.service import Service

SOON_S = 90
KILLS = 2


@pytest.fixture
def upstream() -> Iterator[Embeddings]:
    with Embeddings() as server:
        yield server


async def state(admin: Person) -> dict[str, object]:
    index: dict[str, object] = (await admin.http.get("/api/v1/index")).json()
    return index


async def searches(person: Person, ended: asyncio.Event, seen: list[tuple[object, ...]]) -> None:
    """One after another until it is over, and one more. The first ones after a start may find an embedder silent."""
    while (await person.search("harbour crane ledger", limit=50)).json()["mode"] != "hybrid":  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    while True:
        last = ended.is_set()
        answer = await person.search("harbour crane ledger", limit=50)
        body = answer.json()
        seen.append((answer.status_code, body.get("mode"), body.get("text_only_files"), len(body.get("items", []))))
        if last:
            return


async def until_some(admin: Person) -> bool:
    """Whether it is killed in the middle: some chunks are done, and not all. Building begins soon after the start."""
    while True:
        index = await state(admin)
        if "words-64" in str(index["current"]):
            return False
        if index["state"] == "building" and index["chunks_done"]:
            return True
        await asyncio.sleep(0.01)


async def test_search_goes_on_while_an_index_is_built_however_often_that_is_killed(
    serve: Serve, upstream: Embeddings
) -> None:
    env = {"OPENAI_BASE_URL": upstream.url, "EMBEDDING_SOURCE": "openai"}
    service: Service = serve(**env, EMBEDDING_MODEL="words-48")
    ann = await Person.of(service)
    files = [await ann.ready(document(), name=f"{n}.pdf") for n in range(2)]
    service.stop()
    middle = 0
    seen: list[tuple[object, ...]] = []
    for number in range(KILLS + 1):
        service.start(EMBEDDING_MODEL="words-64")
        admin = await Person.admin(service)
        ended = asyncio.Event()
        searching = asyncio.create_task(searches(ann, ended, seen))
        async with asyncio.timeout(SOON_S):
            if number < KILLS:
                middle += await until_some(admin)
            else:
                while await until_some(admin):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                assert (await state(admin))["state"] == "current"
            ended.set()
            await searching
        if number < KILLS:
            service.kill()
        await admin.aclose()
    assert middle > 0
    assert len(seen) > KILLS
    assert set(seen) == {(200, "hybrid", 0, 50)}
    dense = (await ann.search("harbour crane ledger", mode="dense", limit=100)).json()["items"]
    assert {hit["file_id"] for hit in dense} <= set(files)
    await ann.aclose()
    assert service.stop() == 0
    home = {"DATA_DIR": str(service.data_dir), "HF_HUB_OFFLINE": "true", **env, "EMBEDDING_MODEL": "words-64"}
    found = run("doctor", **home)
    assert found.returncode == 0, found.stdout + found.stderr
