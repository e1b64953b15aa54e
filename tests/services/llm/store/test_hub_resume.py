"""Pulls that are cut off, stall, change in the middle or arrive damaged: nothing wrong is kept."""

from hashlib import sha256

import pytest

from app.core.enums import PullState
from app.core.errors import Conflict, UpstreamTimeout, UpstreamUnavailable
from tests.fakes.hub import Hub, gguf
from tests.services.llm.store.conftest import MakeStore, names, pull, pull_until

REPO = "owner/Tiny-GGUF"
FILE = "tiny-Q4_K_M.gguf"
ADDRESS = f"{REPO}:{FILE}"
DATA = gguf(4_000_000)
MB = 1 << 20


async def test_broken_connections_are_resumed(hub: Hub, store_of: MakeStore) -> None:
    """Each answer is longer than what a connection and its reader hold, so each one brings something."""
    data = gguf(16 * MB)
    file = hub.add(REPO, FILE, data, cuts=[5 * MB, 4 * MB, 4 * MB])
    steps = await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == data
    assert len(hub.seen.ranges) == 3
    assert len([step for step in steps if step.note]) == 3
    assert hub.seen.sent[FILE] < len(data) + 3 * 4 * MB
    assert file.cuts == []


async def test_next_pull_goes_on_where_the_last_one_ended(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    await pull_until(store_of(), ADDRESS, 2_000_000)
    store = store_of()
    kept = (store.folder.path / f"{FILE}.part").stat().st_size
    assert kept >= 2_000_000
    assert store.folder.unfinished()[0].bytes_done == kept
    await pull(store, ADDRESS)
    assert store.folder.get("tiny-Q4_K_M").path.read_bytes() == DATA
    assert hub.seen.ranges == [f"bytes={kept}-"]


async def test_hub_that_fails_for_good_is_given_up_and_what_came_is_kept(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA, cuts=[1_000_000, *[0] * 20])
    with pytest.raises(UpstreamUnavailable, match="bytes are kept"):
        await pull(store_of(), ADDRESS)
    hub.repos[REPO].files[FILE].cuts = []
    await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == DATA


async def test_busy_hub_is_asked_again(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    hub.busy = 2
    assert (await pull(store_of(), ADDRESS))[-1].state == PullState.READY


async def test_silent_hub_is_asked_again(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA, holds=[1_000_000])
    steps = await pull(store_of(pull_stall_timeout_s=0.5), ADDRESS)
    assert "fell silent" in " ".join(step.note or "" for step in steps)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == DATA


@pytest.mark.parametrize("etag", ['"strong"', 'W/"weak"', None], ids=["strong", "weak", "none"])
async def test_server_without_ranges_begins_again(hub: Hub, store_of: MakeStore, etag: str | None) -> None:
    hub.add(REPO, FILE, DATA, cuts=[2_000_000], ranges=False, etag=etag)
    await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == DATA
    assert hub.seen.sent[FILE] == len(DATA) + 2_000_000


async def test_file_that_changed_between_two_pulls_begins_again(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    await pull_until(store_of(), ADDRESS, 2_000_000)
    changed = gguf(len(DATA), seed=1)
    hub.add(REPO, FILE, changed)
    await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == changed
    assert hub.seen.ranges == []


@pytest.mark.parametrize("more", [0, 5])
async def test_file_that_changes_before_the_first_byte_is_found_again(hub: Hub, store_of: MakeStore, more: int) -> None:
    hub.add(REPO, FILE, DATA)
    store = store_of()
    found = await store.find(ADDRESS)
    changed = gguf(len(DATA) + more, seed=1)
    hub.add(REPO, FILE, changed)
    steps = [step async for step in store.pull(found)]
    assert steps[-1].state == PullState.READY
    assert store.folder.get("tiny-Q4_K_M").path.read_bytes() == changed


@pytest.mark.parametrize("etag", ['"first"', None])
async def test_file_without_a_hash_that_changes_in_mid_pull_begins_again(
    hub: Hub, store_of: MakeStore, etag: str | None
) -> None:
    data, changed = gguf(8 * MB), gguf(8 * MB, seed=1)
    hub.add(REPO, FILE, data, cuts=[6 * MB], swap=changed, is_lfs=False, etag=etag)
    await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == changed
    assert (hub.seen.ranges == []) == (etag is None)


async def test_hub_whose_list_and_file_never_agree_is_given_up(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA, claims=len(DATA) + 100)
    with pytest.raises(UpstreamUnavailable, match="changes again and again"):
        await pull(store_of(), ADDRESS)
    assert names(store_of()) == set()


async def test_newer_revision_takes_the_place_of_the_old_one(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    await pull(store_of(), ADDRESS)
    changed = gguf(len(DATA), seed=1)
    hub.add(REPO, FILE, changed)
    store = store_of()
    await pull_until(store, ADDRESS, 2_000_000)
    assert store.folder.get("tiny-Q4_K_M").path.read_bytes() == DATA, "the old one serves until the new one is whole"
    await pull(store, ADDRESS)
    assert store.folder.get("tiny-Q4_K_M").path.read_bytes() == changed


async def test_wrong_hash_is_refused_with_both_and_nothing_is_kept(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA, sha256="ab" * 32)
    with pytest.raises(UpstreamUnavailable, match=f"{sha256(DATA).hexdigest()} instead of {'ab' * 32}"):
        await pull(store_of(), ADDRESS)
    assert names(store_of()) == set()


async def test_damage_to_what_was_kept_is_found(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    store = store_of()
    await pull_until(store, ADDRESS, 2_000_000)
    with (store.folder.path / f"{FILE}.part").open("r+b") as part:
        part.seek(100_000)
        part.write(b"damage")
    with pytest.raises(UpstreamUnavailable, match="arrived damaged"):
        await pull(store, ADDRESS)
    await pull(store, ADDRESS)
    assert store.folder.get("tiny-Q4_K_M").path.read_bytes() == DATA


async def test_only_one_pull_of_a_name_at_a_time(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    first = store_of()
    steps = first.pull(await first.find(ADDRESS))
    await anext(steps)
    with pytest.raises(Conflict, match="being pulled by another process"):
        await pull(store_of(), ADDRESS)
    with pytest.raises(Conflict, match="being pulled by another process"):
        await store_of().folder.remove("tiny-Q4_K_M")
    await steps.aclose()
    assert (await pull(store_of(), ADDRESS))[-1].state == PullState.READY


async def test_silence_before_any_byte_is_a_timeout(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA, holds=[0] * 20)
    with pytest.raises((UpstreamTimeout, UpstreamUnavailable), match="fell silent"):
        await pull(store_of(pull_stall_timeout_s=0.1), ADDRESS)
