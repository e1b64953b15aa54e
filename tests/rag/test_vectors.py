"""Vectors in their own process: what is found, what is deleted, and what a kill leaves behind."""

import asyncio
import signal
import sys
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psutil
import pytest

from app.core.errors import ModelUnavailable
from app.rag.base import Hit, Vectors, VectorStore
from app.rag.chroma import BUCKETS
from app.rag.vectors import ChromaProcess

WIDTH = 384
SPACE = "unit@384"
EXACT = 600
ROOT = Path(__file__).parents[2]
SOON_S = 20
USE_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from uuid import uuid4
import numpy as np
from app.rag.vectors import ChromaProcess

async def main():
    store = ChromaProcess(Path(sys.argv[1]), prefix="test")
    await store.add(uuid4(), uuid4(), [0], np.ones((1, 384), np.float32), space="unit@384")
    print("ready", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[VectorStore]:
    process = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test", exact=EXACT)
    yield process
    await process.aclose()


def unit(count: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).normal(size=(count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def owners_of_one_bucket(count: int) -> list[UUID]:
    found: list[UUID] = []
    while len(found) < count:
        owner = uuid4()
        if zlib.crc32(owner.hex.encode()) % BUCKETS == 0:
            found.append(owner)
    return found


def places(hits: list[Hit]) -> list[tuple[UUID, int]]:
    return [(hit.file_id, hit.ordinal) for hit in hits]


def child_of(pid: int) -> psutil.Process:
    (child,) = [c for c in psutil.Process(pid).children() if "app.rag.chroma" in c.cmdline()]
    return child


async def test_finds_the_nearest_with_its_cosine(store: VectorStore) -> None:
    owner, file, vectors = uuid4(), uuid4(), unit(50, 1)
    await store.add(owner, file, range(50), vectors, space=SPACE)
    query = vectors[7] + vectors[8] / 2
    hits = await store.query(owner, query, None, 3, space=SPACE)
    cosines = vectors @ query / np.linalg.norm(query)
    assert places(hits)[:2] == [(file, 7), (file, 8)]
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines, reverse=True)[:3], abs=1e-4)


async def test_filters_find_all_that_brute_force_finds(store: VectorStore) -> None:
    """Three owners share one bucket here."""
    owners = owners_of_one_bucket(3)
    files = {owner: [uuid4() for _ in range(6)] for owner in owners}
    vectors = {owner: unit(600, seed) for seed, owner in enumerate(owners)}
    for owner in owners:
        for number, file in enumerate(files[owner]):
            await store.add(owner, file, range(100), vectors[owner][number * 100 : number * 100 + 100], space=SPACE)
    for owner in owners:
        for chosen in (None, [0], [1, 4], [0, 1, 2, 3, 5]):
            for query in unit(5, 99):
                wanted = None if chosen is None else [files[owner][number] for number in chosen]
                hits = await store.query(owner, query, wanted, 100, space=SPACE)
                order = np.argsort(-(vectors[owner] @ query))
                best = [n for n in order.tolist() if chosen is None or n // 100 in chosen][:100]
                expected = {(files[owner][n // 100], n % 100) for n in best}
                assert len(hits) == 100
                assert set(places(hits)) == expected


async def test_parts_of_files_find_all_that_brute_force_finds(store: VectorStore) -> None:
    """Few vectors are compared one by one; of many those of the parts; when even these are many, the graph is asked."""
    for size, first, last in ((300, 40, 180), (2 * EXACT, 40, 180), (2 * EXACT, 20, EXACT + 150)):
        owner, file, other, vectors = uuid4(), uuid4(), uuid4(), unit(size + 20, size)
        await store.add(owner, file, range(size), vectors[:size], space=SPACE)
        await store.add(owner, other, range(20), vectors[size:], space=SPACE)
        spans = {file: [(3, 5), (first, last)]}
        allowed = [n for n in range(size) if 3 <= n <= 5 or first <= n <= last]
        for query in unit(3, 98):
            for whole in ([], [other]):
                hits = await store.query(owner, query, whole, 100, space=SPACE, spans=spans)
                among = [*allowed, *(range(size, size + 20) if whole else ())]
                best = sorted(among, key=lambda n: -float(vectors[n] @ query))[:100]
                expected = {(file, n) if n < size else (other, n - size) for n in best}
                assert set(places(hits)) <= {(file, n) for n in allowed} | {(other, n) for n in range(20)}
                # A graph may miss a few.
                assert len(expected & set(places(hits))) >= (100 if last == 180 else 97)
        assert await store.query(owner, vectors[0], [], 100, space=SPACE, spans={uuid4(): [(0, 9)]}) == []


async def test_equal_vectors_do_not_hide_others(store: VectorStore) -> None:
    """In a graph, many equal vectors link to each other alone; a search that enters there finds no way out."""
    owner, file, others = uuid4(), uuid4(), uuid4()
    await store.add(owner, file, range(200), np.repeat(unit(1, 13), 200, axis=0), space=SPACE)
    await store.add(owner, others, range(20), unit(20, 14), space=SPACE)
    for query in unit(5, 15):
        assert len(await store.query(owner, query, [others], 100, space=SPACE)) == 20
        assert len(await store.query(owner, query, None, 500, space=SPACE)) == 220


async def test_what_is_kept_in_memory_follows_every_change(store: VectorStore) -> None:
    owner, first, second, vectors = uuid4(), uuid4(), uuid4(), unit(30, 16)
    for files in (None, [first, second]):
        assert await store.query(owner, vectors[0], files, 50, space=SPACE) == []
        await store.add(owner, first, range(10), vectors[:10], space=SPACE)
        assert len(await store.query(owner, vectors[0], files, 50, space=SPACE)) == 10
        await store.add(owner, first, range(5, 15), vectors[5:15], space=SPACE)
        await store.add(owner, second, range(15), vectors[15:], space=SPACE)
        hits = await store.query(owner, vectors[29], files, 50, space=SPACE)
        assert len(set(places(hits))) == len(hits) == 30
        assert places(hits)[0] == (second, 14)
        await store.delete(owner, second)
        assert len(await store.query(owner, vectors[29], files, 50, space=SPACE)) == 15
        await store.delete(owner, first)


async def test_a_large_library_is_searched_by_the_graph_and_a_small_file_in_it_exactly(tmp_path: Path) -> None:
    store = ChromaProcess(tmp_path, prefix="test", exact=EXACT)
    owner, large, small = uuid4(), uuid4(), uuid4()
    vectors = unit(EXACT + 500, 17)[:, :16].copy()
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for first in range(0, EXACT + 400, 32):  # searched while it grows past the limit, too
        last = min(first + 32, EXACT + 400)
        await store.add(owner, large, range(first, last), vectors[first:last], space=SPACE)
        if first % 128 == 0:
            assert places(await store.query(owner, vectors[first], None, 1, space=SPACE)) == [(large, first)]
    await store.add(owner, small, range(100), vectors[-100:], space=SPACE)
    for query in vectors[::200]:
        order = np.argsort(-(vectors @ query))[:100].tolist()
        best = {(large, n) if n < EXACT + 400 else (small, n - EXACT - 400) for n in order}
        assert len(best & set(places(await store.query(owner, query, None, 100, space=SPACE)))) >= 95
        assert len(await store.query(owner, query, [small], 500, space=SPACE)) == 100
    await store.aclose()


async def test_no_search_crosses_the_owner(store: VectorStore) -> None:
    ann, bob = owners_of_one_bucket(2)
    file, vectors = uuid4(), unit(3, 2)
    await store.add(ann, file, range(3), vectors, space=SPACE)
    assert await store.query(bob, vectors[0], None, 10, space=SPACE) == []
    assert await store.query(bob, vectors[0], [file], 10, space=SPACE) == []
    assert await store.count(bob, file) == 0
    await store.delete(bob, file)
    assert await store.count(ann, file) == 3


async def test_adding_again_changes_nothing(store: VectorStore) -> None:
    owner, file, vectors = uuid4(), uuid4(), unit(80, 3)
    await store.add(owner, file, range(40), vectors[:40], space=SPACE)
    await store.add(owner, file, range(20, 60), np.concatenate([vectors[60:], vectors[40:60]]), space=SPACE)
    assert await store.count(owner, file) == 60
    hits = await store.query(owner, vectors[27], None, 100, space=SPACE)
    assert len(hits) == 60
    assert (hits[0].ordinal, hits[0].score) == (27, pytest.approx(1, abs=1e-4))


async def test_a_file_that_was_deleted_can_be_added_anew(store: VectorStore) -> None:
    owner, file, vectors = uuid4(), uuid4(), unit(40, 12)
    await store.add(owner, file, range(20), vectors[:20], space=SPACE)
    await store.delete(owner, file)
    await store.add(owner, file, range(20), vectors[20:], space=SPACE)
    assert await store.count(owner, file) == 20
    (hit,) = await store.query(owner, vectors[27], None, 1, space=SPACE)
    assert (hit.ordinal, hit.score) == (7, pytest.approx(1, abs=1e-4))


async def test_a_deleted_file_is_gone(store: VectorStore) -> None:
    owner, file, other, vectors = uuid4(), uuid4(), uuid4(), unit(40, 4)
    await store.add(owner, file, range(40), vectors, space=SPACE)
    await store.add(owner, other, [0], unit(1, 5), space=SPACE)
    for _ in range(2):
        await store.delete(owner, file)
        assert await store.count(owner, file) == 0
    assert places(await store.query(owner, vectors[0], None, 10, space=SPACE)) == [(other, 0)]
    assert await store.query(owner, vectors[0], [file], 10, space=SPACE) == []


@pytest.mark.parametrize("strangers", [0, 300, 2500])
async def test_any_number_of_files_may_be_named(store: VectorStore, strangers: int) -> None:
    owner, file, other, vectors = uuid4(), uuid4(), uuid4(), unit(4, 6)
    await store.add(owner, file, [5, 6], vectors[:2], space=SPACE)
    await store.add(owner, other, [5, 6], vectors[2:], space=SPACE)
    hits = await store.query(owner, vectors[1], [file, *(uuid4() for _ in range(strangers))], 10, space=SPACE)
    assert places(hits) == [(file, 6), (file, 5)]
    assert await store.query(owner, vectors[1], [], 10, space=SPACE) == []


async def test_a_query_goes_before_adds_that_wait(store: VectorStore) -> None:
    owner, vectors = uuid4(), unit(32, 7)
    adds = [asyncio.create_task(store.add(owner, uuid4(), range(32), vectors, space=SPACE)) for _ in range(20)]
    await asyncio.sleep(0)
    await store.query(owner, vectors[0], None, 1, space=SPACE)
    assert sum(add.done() for add in adds) <= 2
    await asyncio.gather(*adds)


async def test_a_killed_child_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    store = ChromaProcess(tmp_path, prefix="test")
    before = set(psutil.Process().children())
    owner, file, vectors = uuid4(), uuid4(), unit(64, 8)
    await store.add(owner, file, range(32), vectors[:32], space=SPACE)
    (child,) = set(psutil.Process().children()) - before
    child.kill()
    assert await store.count(owner, file) == 32
    (child,) = set(psutil.Process().children()) - before
    adding = asyncio.create_task(store.add(owner, file, range(32, 64), vectors[32:], space=SPACE))
    await asyncio.sleep(0)
    child.kill()
    await adding
    assert await store.count(owner, file) == 64
    await store.aclose()


async def test_the_child_ends_with_its_parent_and_leaves_no_lock(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", USE_AND_WAIT, str(tmp_path)), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert parent.stdout is not None
    assert await asyncio.wait_for(parent.stdout.readline(), SOON_S) == b"ready\n"
    child = child_of(parent.pid)
    with pytest.raises(ModelUnavailable, match="Another process uses the vectors"):
        await only_query(tmp_path)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    assert await only_query(tmp_path) == []
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def only_query(folder: Path) -> list[Hit]:
    store = ChromaProcess(folder, prefix="test")
    try:
        return await store.query(uuid4(), unit(1, 9)[0], None, 1, space=SPACE)
    finally:
        await store.aclose()


async def test_closing_ends_the_child_and_refuses_more(tmp_path: Path) -> None:
    store = ChromaProcess(tmp_path, prefix="test")
    before = set(psutil.Process().children())
    await store.add(uuid4(), uuid4(), [0], unit(1, 10), space=SPACE)
    (child,) = set(psutil.Process().children()) - before
    await store.aclose()
    await store.aclose()
    assert not child.is_running()
    with pytest.raises(ModelUnavailable, match="closing"):
        await store.count(uuid4(), uuid4())


async def test_an_error_in_the_child_names_its_reason(store: VectorStore) -> None:
    owner, file = uuid4(), uuid4()
    await store.add(owner, file, [0], unit(1, 11), space=SPACE)
    with pytest.raises(Exception, match="dimension"):
        await store.add(owner, file, [1], np.ones((1, 7), np.float32), space=SPACE)
    assert await store.count(owner, file) == 1
