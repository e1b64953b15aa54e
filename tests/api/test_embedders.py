"""A service whose embedder changes or is down: nothing is mixed, and what is found by words alone is said."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.rag.embedders.minilm import MiniLM
from tests import tiny_gguf
from tests.api.people import Person
from tests.cli.program import run
from tests.documents import text_pdf
from tests.fakes.embeddings import Embeddings
from tests.service import Service

Serve = Callable[..., Service]
SOON_S = 60
PAGES = ["The harbour crane was painted green.", "A violin lay in the meadow.", "The copper lantern went dark."]
COUNT = """
import json, sys
import chromadb

client = chromadb.PersistentClient(sys.argv[1], settings=chromadb.Settings(anonymized_telemetry=False))
found = {}
for one in client.list_collections():
    kind = one.metadata["fingerprint"]
    found[kind] = found.get(kind, 0) + one.count()
print(json.dumps(found))
"""
MINILM = {"EMBEDDING_SOURCE": "", "EMBEDDING_MODEL": ""}


@pytest.fixture
def upstream() -> Iterator[Embeddings]:
    """A fake server that embeds, for OpenAI's clients and Ollama's."""
    with Embeddings() as server:
        yield server


def openai(upstream: Embeddings, model: str = "words-48") -> dict[str, str]:
    return {"OPENAI_BASE_URL": upstream.url, "EMBEDDING_SOURCE": "openai", "EMBEDDING_MODEL": model}


def ollama(upstream: Embeddings) -> dict[str, str]:
    return {
        "EMBEDDINGS_BASEURL": upstream.url.removesuffix("/v1"),
        "EMBEDDING_SOURCE": "ollama",
        "EMBEDDING_MODEL": "words-64:latest",
    }


def restart(service: Service, env: dict[str, str]) -> None:
    service.stop()
    service.start(**env)


async def embeddings(service: Service) -> dict[str, object]:
    async with service.client() as client:
        ports: dict[str, dict[str, object]] = (await client.get("/ready")).json()["ports"]
    return ports["embeddings"]


async def until(service: Service, part: str, *, whole: bool = False) -> dict[str, object]:
    """What /ready says of embeddings as soon as this is part of it, or the whole of it."""
    async with asyncio.timeout(SOON_S):
        while True:
            port = await embeddings(service)
            if part in str(port["detail"]) and (not whole or part == port["detail"]):
                return port
            await asyncio.sleep(0.2)


async def shown(person: Person, file_id: str) -> dict[str, object]:
    file: dict[str, object] = (await person.http.get(f"/api/v1/files/{file_id}")).json()
    return file


async def found(person: Person, **more: object) -> dict[str, object]:
    answer = await person.search("violin in a meadow", **more)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


@asynccontextmanager
async def signed_in(service: Service) -> AsyncIterator[Person]:
    person = await Person.of(service)
    try:
        yield person
    finally:
        await person.aclose()


async def read(person: Person, file_id: str) -> None:
    """Wait until all pages are read."""
    async with asyncio.timeout(SOON_S):
        while True:
            file = await shown(person, file_id)
            if file["pages_done"] == file["pages_total"]:
                return
            await asyncio.sleep(0.1)


async def until_index(admin: Person, state: str, kind: str) -> dict[str, object]:
    """What GET /index says as soon as it is in this state and of this kind."""
    async with asyncio.timeout(SOON_S):
        while True:
            index: dict[str, Any] = (await admin.http.get("/api/v1/index")).json()
            if index["state"] == state and str((index["target"] or index["current"])["fingerprint"]).startswith(kind):
                return index
            await asyncio.sleep(0.1)


async def test_a_change_of_embedder_builds_a_new_index_while_the_old_one_is_searched(
    serve: Serve, upstream: Embeddings
) -> None:
    service = serve()
    kinds = [
        (openai(upstream), "openai/words-48@48"),
        ({**openai(upstream), **ollama(upstream)}, "ollama/words-64:latest@64"),
        ({**ollama(upstream), **MINILM}, MiniLM.fingerprint),
    ]
    async with signed_in(service) as ann:
        first = await ann.ready(text_pdf(PAGES), name="first.pdf")
        second = await ann.ready(text_pdf(PAGES[:1]), name="second.pdf")
        for number, (env, kind) in enumerate(kinds):
            restart(service, env)
            admin = await Person.admin(service)
            both = await found(ann)
            assert (both["mode"], both["text_only_files"]) == ("hybrid", 0), "by the old index or the new one"
            index = await until_index(admin, "current", kind)
            assert (index["files_done"], index["current"]["id"]) == (2, number + 1)  # type: ignore[index]
            best = (await found(ann))["items"][0]  # type: ignore[index]
            assert (best["file_id"], best["page_from"], best["dense_rank"], best["text_rank"]) == (first, 2, 1, 1)
            dense = await found(ann, mode="dense")
            assert {hit["file_id"] for hit in dense["items"]} == {first, second}  # type: ignore[attr-defined]
            assert not any([(await shown(ann, file))["needs_reindex"] for file in (first, second)])
            await until(service, kind, whole=True)
            await admin.aclose()
        beside = run("doctor", "--json", service.folder / "found.json", "--server", service.url, **home_of(service))
        assert (beside.returncode, "nothing to mend" in beside.stdout) == (0, True), beside.stderr + beside.stdout
    assert service.stop() == 0
    counts = await vectors_by_kind(service.data_dir / "vectors")
    assert [kind for kind, count in counts.items() if count] == [f"{MiniLM.fingerprint}#3"]
    stray = service.data_dir / "files" / str(uuid4()) / str(uuid4())
    stray.parent.mkdir()
    stray.write_bytes(b"nobody's")
    for arguments, code in (((), 1), (("--fix",), 0), ((), 0)):
        alone = run("doctor", *arguments, **home_of(service))
        assert alone.returncode == code, alone.stderr + alone.stdout
    assert not stray.exists()


def home_of(service: Service) -> dict[str, str]:
    return {"DATA_DIR": str(service.data_dir), "HF_HUB_OFFLINE": "true"}


async def test_a_gguf_of_this_machine_embeds(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    tiny_gguf.embedding(tmp_path / "models" / "tiny.gguf", context=512)
    service = serve(EMBEDDING_SOURCE="local", LOCAL_MODEL_PATH=str(tmp_path / "models"))
    async with signed_in(service) as ann:
        port = await until(service, "local/tiny@")
        assert port["ok"]
        file_id = await ann.ready(text_pdf(PAGES))
        dense = await found(ann, mode="dense")
        assert {hit["file_id"] for hit in dense["items"]} == {file_id}  # type: ignore[attr-defined]
        assert (await shown(ann, file_id))["needs_reindex"] is False


async def test_a_deleted_file_leaves_no_vectors_of_any_embedder(serve: Serve, upstream: Embeddings) -> None:
    service = serve()
    async with signed_in(service) as ann:
        file_id = await ann.ready(text_pdf(PAGES))
        restart(service, openai(upstream))
        await until(service, "words-48@48")
        other = await ann.ready(text_pdf([*PAGES, "More."]))
        for each in (file_id, other):
            assert (await ann.http.delete(f"/api/v1/files/{each}")).status_code == 204
        for mode in ("hybrid", "dense", "text"):
            assert (await found(ann, mode=mode))["items"] == []
    assert service.stop() == 0
    assert set((await vectors_by_kind(service.data_dir / "vectors")).values()) <= {0}


async def test_a_source_that_is_down_keeps_nothing_from_starting_and_files_wait_for_it(
    serve: Serve, upstream: Embeddings
) -> None:
    upstream.error = 503
    service = serve(**openai(upstream))
    async with signed_in(service) as ann:
        port = await until(service, "injected 503")
        assert (port["ok"], port["needed"]) == (False, False)
        assert str(port["detail"]).endswith("search by words alone until it answers")
        waiting = (await ann.upload(text_pdf(PAGES))).json()["id"]
        await read(ann, waiting)
        assert (await ann.search("violin", mode="dense")).json()["error"]["code"] == "model_unavailable"
        assert (await found(ann))["mode"] == "text"
        assert "words alone" in service.log()
        upstream.error = None
        assert (await ann.until_final(waiting))["status"] == "ready"
        assert (await until(service, "words-48@48"))["ok"]
        assert (await found(ann))["mode"] == "hybrid"
        # It may fail later, too: search goes on, and says how.
        upstream.error = 503
        assert [(hit["dense_rank"], hit["text_rank"]) for hit in (await found(ann))["items"]][:1] == [(None, 1)]  # type: ignore[attr-defined]
        assert not (await until(service, "injected 503"))["ok"]


async def test_a_file_whose_embedding_fails_for_too_long_says_why_and_can_be_retried(
    serve: Serve, upstream: Embeddings
) -> None:
    service = serve(**openai(upstream), EMBEDDING_WAIT_S="2")
    async with signed_in(service) as ann:
        await until(service, "words-48@48")
        upstream.error = 503
        file_id = (await ann.upload(text_pdf(PAGES))).json()["id"]
        file = await ann.until_final(file_id)
        assert file["status"] == "failed"
        assert file["error"]["code"] == "model_unavailable"  # type: ignore[index]
        assert "openai does not embed" in file["error"]["message"]  # type: ignore[index]
        upstream.error = None
        assert (await ann.http.post(f"/api/v1/files/{file_id}/retry")).status_code == 202
        assert (await ann.until_final(file_id))["status"] == "ready"
        assert (await found(ann))["mode"] == "hybrid"


async def test_a_key_that_is_refused_is_not_waited_for(serve: Serve, upstream: Embeddings) -> None:
    service = serve(**openai(upstream))
    async with signed_in(service) as ann:
        await until(service, "words-48@48")
        upstream.error = 401
        file = await ann.until_final((await ann.upload(text_pdf(PAGES))).json()["id"])
        assert (file["status"], file["error"]["code"]) == ("failed", "model_unavailable")  # type: ignore[index]
        assert "401" in file["error"]["message"]  # type: ignore[index]


async def test_a_new_index_waits_for_its_embedder_and_can_be_given_up(serve: Serve, upstream: Embeddings) -> None:
    service = serve()
    async with signed_in(service) as ann:
        await ann.ready(text_pdf(PAGES))
        restart(service, {**openai(upstream), "REINDEX": "manual"})
        admin = await Person.admin(service)
        await until(service, "the index is still of all-MiniLM")
        assert (await ann.http.get("/api/v1/index")).status_code == 403
        upstream.error = 503
        assert (await admin.http.post("/api/v1/index/rebuild")).json()["state"] == "building"
        later = await ann.ready(text_pdf(PAGES[:1]), name="later.pdf")
        both = await found(ann)
        assert (both["mode"], both["text_only_files"]) == ("hybrid", 0)
        assert (await admin.http.delete("/api/v1/index/rebuild")).status_code == 202
        await until_index(admin, "outdated", MiniLM.fingerprint)
        assert (await admin.http.delete("/api/v1/index/rebuild")).status_code == 409
        assert (await admin.http.post("/api/v1/index/rebuild")).status_code == 202
        upstream.error = None
        await until_index(admin, "current", "openai/words-48@48")
        assert {hit["file_id"] for hit in (await found(ann, mode="dense"))["items"]} >= {later}  # type: ignore[attr-defined]
        await admin.aclose()


async def vectors_by_kind(folder: Path) -> dict[str, int]:
    """How many vectors there are of each embedder, as Chroma itself says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COUNT, str(folder)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), SOON_S)
    counts: dict[str, int] = json.loads(out)
    return counts
