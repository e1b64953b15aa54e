"""Vectors of several embedders in one folder."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from app.rag.base import Vectors, VectorStore
from app.rag.embedders.minilm import MiniLM
from app.rag.vectors import ChromaProcess

SPACE = "unit@384"
SOON_S = 60
MAKE_OLD_FOLDER = """
import sys
import zlib
import chromadb
import numpy as np

folder, owner, file = sys.argv[1:]
client = chromadb.PersistentClient(path=folder, settings=chromadb.Settings(anonymized_telemetry=False))
bucket = client.create_collection(
    f"test_{zlib.crc32(owner.encode()) % 16:02d}", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
)
bucket.add(
    ids=[f"{file}:{ordinal}" for ordinal in range(3)],
    embeddings=np.random.default_rng(23).normal(size=(3, 384)).astype(np.float32),
    metadatas=[{"owner": owner, "file": file}] * 3,
)
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ChromaProcess]:
    process = ChromaProcess(tmp_path, prefix="test")
    yield process
    await process.aclose()


def unit(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, 384)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def test_vectors_of_two_embedders_are_kept_apart_and_deleted_together(store: VectorStore) -> None:
    owner, file, other = uuid4(), uuid4(), uuid4()
    wide, narrow = unit(4, 20), unit(4, 21)[:, :3]
    await store.add(owner, file, range(4), wide, space=SPACE)
    await store.add(owner, other, range(4), unit(4, 22), space="twin@384")
    await store.add(owner, file, range(4), narrow, space="narrow@3")
    for _ in range(2):  # read from the folder, then from memory
        for space, vectors, found in ((SPACE, wide, file), ("narrow@3", narrow, file), ("twin@384", wide, other)):
            hits = await store.query(owner, vectors[0], None, 10, space=space)
            assert {hit.file_id for hit in hits} == {found}
    assert await store.query(owner, wide[0], None, 10, space="nobody's@384") == []
    counts = [await store.count(owner, file, space=space) for space in (SPACE, "narrow@3", "twin@384", None)]
    assert counts == [4, 4, 0, 8]
    await store.delete(owner, file)
    assert await store.count(owner, file) == 0
    for space, vectors, left in ((SPACE, wide, 0), ("narrow@3", narrow, 0), ("twin@384", wide, 4)):
        assert len(await store.query(owner, vectors[0], None, 10, space=space)) == left


async def test_vectors_of_a_folder_that_knew_one_embedder_only_are_that_ones(tmp_path: Path) -> None:
    owner, file, vectors = uuid4(), uuid4(), unit(3, 23)
    await in_process(MAKE_OLD_FOLDER, str(tmp_path), owner.hex, file.hex)
    for _ in range(2):
        store = ChromaProcess(tmp_path, prefix="test")
        assert await store.count(owner, file, space=MiniLM.fingerprint) == 3
        hits = await store.query(owner, vectors[1], None, 10, space=MiniLM.fingerprint)
        assert sorted(hit.ordinal for hit in hits) == [0, 1, 2]
        assert await store.count(owner, file, space=SPACE) == 0
        await store.aclose()
    store = ChromaProcess(tmp_path, prefix="test")
    await store.delete(owner, file)
    assert await store.count(owner, file) == 0
    await store.aclose()


async def in_process(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, *arguments)
    assert await asyncio.wait_for(process.wait(), SOON_S) == 0


async def test_nothing_is_started_to_delete_from_a_folder_that_never_was(tmp_path: Path) -> None:
    store = ChromaProcess(tmp_path / "vectors", prefix="test")
    await store.delete(uuid4(), uuid4())
    assert not (tmp_path / "vectors").exists()
    await store.aclose()


async def test_what_is_stored_is_listed_in_pages_and_discarded(
    store: ChromaProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.rag.vectors.PAGE", 7)
    owner, file, other = uuid4(), uuid4(), uuid4()
    await store.add(owner, file, range(20), unit(20, 30), space=SPACE)
    await store.add(owner, other, range(3), unit(3, 31), space=SPACE)
    await store.add(owner, file, range(4), unit(4, 32), space=f"{SPACE}#1")
    held = {holding.space: holding for holding in await store.collections()}
    assert {space: holding.vectors for space, holding in held.items()} == {SPACE: 23, f"{SPACE}#1": 4}
    pages = [page async for page in store.names(held[SPACE].collection)]
    assert max(len(page) for page in pages) == 7
    listed = [vector for page in pages for vector in page]
    expected = {(owner.hex, file.hex, n) for n in range(20)} | {(owner.hex, other.hex, n) for n in range(3)}
    assert sorted((v.owner, v.file, v.ordinal) for v in listed) == sorted(expected)

    await store.query(owner, unit(1, 30)[0], None, 50, space=SPACE)  # kept in memory from now on
    await store.discard(held[SPACE].collection, [v for v in listed if v.file == file.hex and v.ordinal >= 5])
    assert await store.count(owner, file, space=SPACE) == 5
    assert len(await store.query(owner, unit(1, 30)[0], None, 50, space=SPACE)) == 8
    await store.delete(owner, file, space=f"{SPACE}#1")
    assert [await store.count(owner, file, space=space) for space in (SPACE, f"{SPACE}#1")] == [5, 0]
    await store.drop(SPACE)
    assert [holding.space for holding in await store.collections()] == [f"{SPACE}#1"]
    assert await store.count(owner, file) == 0
    assert await store.query(owner, unit(1, 30)[0], None, 50, space=SPACE) == []
    await store.add(owner, file, range(2), unit(2, 33), space=SPACE)
    assert await store.count(owner, file) == 2
