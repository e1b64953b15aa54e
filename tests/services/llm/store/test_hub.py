"""Pulls from a hub: what is chosen, how an interrupted one goes on, and what is refused."""

import re
from hashlib import sha256

import pytest

from app.core.enums import PullState
from app.core.errors import (
    AppError,
    Conflict,
    NotFound,
    StorageFull,
    UnsupportedType,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnavailable,
    ValidationFailed,
)
from tests.fakes.hub import Hub, gguf
from tests.services.llm.store.conftest import MakeStore, names, pull, pull_until

REPO = "owner/Tiny-GGUF"
FILE = "tiny-Q4_K_M.gguf"
ADDRESS = f"{REPO}:{FILE}"
DATA = gguf(4_000_000)


async def test_pulled_file_is_the_hubs_and_says_where_it_is_from(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    store = store_of()
    steps = await pull(store, ADDRESS)
    model = store.folder.get("tiny-Q4_K_M")
    assert model.path.read_bytes() == DATA
    assert names(store) == {FILE, f"{FILE}.json"}
    assert model.origin is not None
    assert (model.origin.address, model.origin.repo, model.origin.revision) == (ADDRESS, REPO, "c0ffee" + "0" * 34)
    assert [(file.path, file.size_bytes, file.sha256) for file in model.origin.files] == [
        (FILE, len(DATA), sha256(DATA).hexdigest())
    ]
    states = [step.state for step in steps]
    assert sorted(set(states), key=states.index) == [PullState.DOWNLOADING, PullState.VERIFYING, PullState.READY]
    assert (steps[-1].bytes_done, steps[-1].bytes_total) == (len(DATA), len(DATA))


async def test_second_pull_of_the_same_fetches_nothing(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    await pull(store_of(), ADDRESS)
    assert [step.state for step in await pull(store_of(), ADDRESS)] == [PullState.READY]
    assert hub.seen.sent[FILE] == len(DATA)


@pytest.mark.parametrize(
    ("files", "wanted", "chosen"),
    [
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf", "m-F16.gguf"], "", "m-Q4_K_M"),
        (["m.q8_0.gguf", "m.q5_k_m.gguf", "m.q2_k.gguf"], "", "m.q5_k_m"),
        (["only.gguf", "README.md", "mmproj-only.gguf"], "", "only"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], ":Q8_0", "m-Q8_0"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], ":q8_0", "m-Q8_0"),
        (["m-Q8_0.gguf", "m-Q4_K_M.gguf"], ":m-Q8_0", "m-Q8_0"),
        (["a/m-Q8_0.gguf", "b/m-Q4_0.gguf"], ":a/m-Q8_0.gguf", "m-Q8_0"),
        (["m-UD-Q4_K_XL.gguf", "m-Q2_K.gguf"], "", "m-UD-Q4_K_XL"),
        (["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf", "m-Q2_K.gguf"], "", "m-Q4_K_M"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
async def test_file_is_chosen(hub: Hub, store_of: MakeStore, files: list[str], wanted: str, chosen: str) -> None:
    for path in files:
        hub.add(REPO, path, DATA)
    assert (await store_of().find(REPO + wanted)).name == chosen


@pytest.mark.parametrize(
    ("files", "wanted", "error", "said"),
    [
        (["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"], "", ValidationFailed, "a-Q4_K_M.gguf, b-Q4_K_M.gguf"),
        (["alpha.gguf", "beta.gguf"], "", ValidationFailed, "alpha.gguf, beta.gguf"),
        (["m-Q8_0.gguf"], ":m-Q9_0.gguf", NotFound, "maybe 'm-Q8_0.gguf' is meant"),
        (["README.md"], "", NotFound, "no GGUF file"),
        (["m-00001-of-00002.gguf"], "", NotFound, "no GGUF file"),
        (["../../evil.gguf"], "", ValidationFailed, "cannot be the name"),
        (["..\\evil.gguf"], "", ValidationFailed, "cannot be the name"),
        (["a/.hidden.gguf"], "", ValidationFailed, "cannot be the name"),
        (["nul\0byte.gguf"], "", ValidationFailed, "cannot be the name"),
        (["x" * 300 + ".gguf"], "", ValidationFailed, "cannot be the name"),
    ],
    ids=range(10),
)
async def test_choice_is_refused_with_what_there_is(
    hub: Hub, store_of: MakeStore, files: list[str], wanted: str, error: type[AppError], said: str
) -> None:
    for path in files:
        hub.add(REPO, path, DATA)
    with pytest.raises(error, match=re.escape(said)):
        await store_of().find(REPO + wanted)


async def test_parts_are_one_model_and_are_there_together(hub: Hub, store_of: MakeStore) -> None:
    parts = [gguf(1_500_000, seed=n) for n in range(3)]
    for number, data in enumerate(parts, 1):
        hub.add(REPO, f"q4/big-{number:05}-of-00003.gguf", data)
    store = store_of()
    await pull_until(store, REPO, 2_000_000)
    assert store.folder.files() == []
    assert [(one.name, one.bytes_total) for one in store.folder.unfinished()] == [("big", 4_500_000)]
    await pull(store_of(), REPO)
    model = store.folder.get("big")
    assert [path.read_bytes() for path in model.parts] == parts
    assert (model.size_bytes, model.path.name) == (4_500_000, "big-00001-of-00003.gguf")
    assert sum(hub.seen.sent.values()) < 4_500_000 + 2 * (1 << 20)
    await store.folder.remove("big")
    assert names(store) == set()


async def test_web_page_instead_of_a_model_is_refused(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    hub.repos[REPO].page = b"<html>please sign in</html>"
    with pytest.raises(UnsupportedType, match="not a GGUF model: it begins with b'<html>"):
        await pull(store_of(), ADDRESS)
    assert names(store_of()) == set()


@pytest.mark.parametrize("lacks", ["api", "api and tree", "sizes", "sizes and tree"])
async def test_hub_with_a_part_of_the_api_is_enough(hub: Hub, store_of: MakeStore, lacks: str) -> None:
    hub.add(REPO, FILE, DATA)
    repo = hub.repos[REPO]
    repo.api, repo.sizes, repo.tree = "api" not in lacks, "sizes" not in lacks, "tree" not in lacks
    await pull(store_of(), ADDRESS)
    assert store_of().folder.get("tiny-Q4_K_M").path.read_bytes() == DATA


async def test_revision_and_page_are_understood(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    hub.repos[REPO].commit = None
    for address in (
        f"{REPO}@v1.0:{FILE}",
        f"{hub.url}/{REPO}/blob/v1.0/{FILE}",
        f"{hub.url}/{REPO}/resolve/v1.0/{FILE}",
    ):
        found = await store_of().find(address)
        assert (found.name, found.address) == ("tiny-Q4_K_M", f"{REPO}@v1.0:{FILE}")
        assert "/resolve/v1.0/" in found.files[0].url
    assert (await store_of().find(f"{hub.url}/{REPO}")).address == ADDRESS


@pytest.mark.parametrize(
    "address",
    ["", "model", "a/b/c", "../x", "a/..", "a/b@../..:c.gguf", "https://elsewhere.test/a/b", "a/b:c\n.gguf", "a b/c"],
)
async def test_address_that_is_none_is_refused(store_of: MakeStore, address: str) -> None:
    with pytest.raises((ValidationFailed, NotFound)):
        await store_of().find(address)


async def test_unknown_scheme_is_refused_with_the_known_ones(store_of: MakeStore) -> None:
    with pytest.raises(NotFound, match="known: az, file, gs, http, https, hub, s3"):
        await store_of().find("ftp://host/x.gguf")


async def test_unknown_repository_is_refused_with_similar_ones(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    for address in ("owner/Tiny", "owner/Tiny:x.gguf"):
        with pytest.raises(NotFound, match=f"similar ones: {REPO}, and a private one needs HF_TOKEN"):
            await store_of().find(address)


@pytest.mark.parametrize(
    ("status", "code", "token", "said"),
    [
        (403, "GatedRepo", None, "accept its licence at .*/owner/Tiny-GGUF with an account, and give its token as HF"),
        (403, "GatedRepo", "right", "accept its licence at .*/owner/Tiny-GGUF with the account of HF_TOKEN"),
        (401, "", None, "needs HF_TOKEN"),
        (403, "", "right", "whether HF_TOKEN is valid and may read it"),
        (429, "", None, "busy or failing"),
        (500, "", None, "busy or failing"),
        (418, "", None, "refused the request"),
    ],
)
async def test_refusal_says_what_to_do(
    hub: Hub, store_of: MakeStore, status: int, code: str, token: str | None, said: str
) -> None:
    hub.add(REPO, FILE, DATA)
    hub.repos[REPO].status, hub.repos[REPO].error_code = status, code
    hub.token = token
    with pytest.raises(UpstreamError, match=said):
        await store_of(hf_token=token).find(ADDRESS)


async def test_token_goes_to_the_hub_and_not_to_where_it_redirects(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    hub.token = "hf_secret"
    with pytest.raises(UpstreamRefused, match="needs HF_TOKEN"):
        await store_of().find(ADDRESS)
    await pull(store_of(hf_token="hf_secret"), ADDRESS)
    assert set(hub.seen.tokens) == {"Bearer hf_secret"}
    assert hub.seen.leaked == []


async def test_hub_out_of_reach(store_of: MakeStore) -> None:
    with pytest.raises(UpstreamUnavailable, match="cannot reach"):
        await store_of(hf_endpoint="http://127.0.0.1:9").find(ADDRESS)


async def test_hub_is_not_asked_offline(hub: Hub, store_of: MakeStore) -> None:
    with pytest.raises(UpstreamRefused, match="HF_HUB_OFFLINE"):
        await store_of(hf_hub_offline=True).find(ADDRESS)
    assert hub.seen.requests == []


async def test_model_that_does_not_fit_the_disk_is_refused_with_both_figures(hub: Hub, store_of: MakeStore) -> None:
    file = hub.add(REPO, FILE, DATA)
    file.claims = 10**15
    with pytest.raises(StorageFull, match=r"needs 1,000,000\.0 GB more .* has [\d,.]+ GB"):
        await pull(store_of(), ADDRESS)
    assert not store_of().folder.files()


async def test_name_of_another_model_is_not_taken_over(hub: Hub, store_of: MakeStore) -> None:
    hub.add(REPO, FILE, DATA)
    hub.add("other/Repo", FILE, gguf(1000, seed=2))
    await pull(store_of(), ADDRESS)
    with pytest.raises(Conflict, match=f"'tiny-Q4_K_M' already, from {ADDRESS}; remove it first"):
        await pull(store_of(), f"other/Repo:{FILE}")
    own = store_of().folder.path / "own.gguf"
    own.write_bytes(b"GGUF mine")
    hub.add(REPO, "own.gguf", DATA)
    with pytest.raises(Conflict, match="'own' already"):
        await pull(store_of(), f"{REPO}:own.gguf")
    assert own.read_bytes() == b"GGUF mine"
