"""MODEL_CACHE_MB: pulled models unused for longest make room, and nothing else does."""

import os

import pytest

from app.core.errors import StorageFull
from app.services.llm.store.store import Store
from tests.fakes.hub import Hub, gguf
from tests.services.llm.store.conftest import MakeStore, names, pull

MB = 1 << 20


def models(store: Store) -> list[str]:
    return [model.name for model in store.folder.files()]


async def pull_each(hub: Hub, store: Store, *files: str, size: int = MB) -> None:
    """Each was used a little later than the one before."""
    for number, name in enumerate(files):
        hub.add("owner/repo", f"{name}.gguf", gguf(size, seed=ord(name[0])))
        await pull(store, f"owner/repo:{name}.gguf")
        os.utime(store.folder.origin_path(name), (1000 + number, 1000 + number))


async def test_models_unused_for_longest_make_room(hub: Hub, store_of: MakeStore) -> None:
    store = store_of(model_cache_mb=3)
    changed: list[str] = []

    async def on_changed(name: str) -> None:
        changed.append(name)

    await pull_each(hub, store, "a", "b", "c")
    store.folder.on_changed = on_changed
    store.folder.hold("a").close()  # its use makes `b` the oldest
    await pull_each(hub, store, "d")
    assert models(store) == ["a", "c", "d"]
    assert changed == ["b", "d"]
    assert names(store) == {f"{name}.gguf{end}" for name in "acd" for end in ("", ".json")}


async def test_loaded_pinned_and_own_models_stay(hub: Hub, store_of: MakeStore) -> None:
    store = store_of(model_cache_mb=3)
    await pull_each(hub, store, "a", "b", "c")
    (store.folder.path / "own.gguf").write_bytes(b"GGUF" + bytes(5 * MB))
    store.folder.pinned = frozenset({"a"})
    hold = store_of().folder.hold("b")
    await pull_each(hub, store, "d")
    assert models(store) == ["a", "b", "d", "own"]
    hold.close()


async def test_refused_with_figures_when_nothing_can_go(hub: Hub, store_of: MakeStore) -> None:
    store = store_of(model_cache_mb=3)
    await pull_each(hub, store, "a", "b")
    holds = [store.folder.hold(name) for name in "ab"]
    hub.add("owner/repo", "c.gguf", gguf(2 * MB))
    with pytest.raises(StorageFull, match=r"2 MB are to be pulled and 2 MB cannot be removed.*MODEL_CACHE_MB=3 allows"):
        await pull(store, "owner/repo:c.gguf")
    assert models(store) == ["a", "b"]
    for hold in holds:
        hold.close()


async def test_what_is_larger_than_the_limit_removes_nothing(hub: Hub, store_of: MakeStore) -> None:
    store = store_of(model_cache_mb=3)
    await pull_each(hub, store, "a", "b")
    hub.add("owner/repo", "c.gguf", gguf(4 * MB))
    with pytest.raises(StorageFull, match="MODEL_CACHE_MB=3"):
        await pull(store, "owner/repo:c.gguf")
    assert models(store) == ["a", "b"]


async def test_models_on_their_way_count(hub: Hub, store_of: MakeStore) -> None:
    store = store_of(model_cache_mb=3)
    for name in "ab":
        hub.add("owner/repo", f"{name}.gguf", gguf(2 * MB))
    first = store.pull(await store.find("owner/repo:a.gguf"))
    await anext(first)
    with pytest.raises(StorageFull, match="4 MB are to be pulled"):
        await pull(store, "owner/repo:b.gguf")
    await first.aclose()
    await pull(store, "owner/repo:b.gguf")


async def test_no_limit_by_default(hub: Hub, store_of: MakeStore) -> None:
    store = store_of()
    await pull_each(hub, store, "a", "b", "c", "d", "e")
    assert models(store) == ["a", "b", "c", "d", "e"]
