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
async def store(tmp_path: Path) -> AsyncIterator[VectorStore]:
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
