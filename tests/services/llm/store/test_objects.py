"""Models of an object storage, by a server of ours that speaks S3."""

from collections.abc import Iterator

import pytest

from app.core.enums import PullState
from app.core.errors import NotFound, UnsupportedType, UpstreamRefused, UpstreamUnavailable, ValidationFailed
from tests.fakes.hub import gguf
from tests.fakes.s3 import S3
from tests.services.llm.store.conftest import MakeStore, names, pull, pull_until

DATA = gguf(4_000_000)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """The environment is where obstore looks for it, as all tools of S3 do."""
    with S3() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


async def test_object_becomes_a_model(s3: S3, store_of: MakeStore) -> None:
    s3.bucket.objects["bucket/dir/m.gguf"] = DATA
    store = store_of()
    steps = await pull(store, "s3://bucket/dir/m.gguf")
    model = store.folder.get("m")
    assert model.path.read_bytes() == DATA
    assert model.origin is not None
    assert model.origin.address == "s3://bucket/dir/m.gguf"
    assert len(steps) > 4
    sent = s3.bucket.sent
    assert [step.state for step in await pull(store_of(), "s3://bucket/dir/m.gguf")] == [PullState.READY]
    assert s3.bucket.sent == sent


async def test_next_pull_goes_on_where_the_last_one_ended(s3: S3, store_of: MakeStore) -> None:
    s3.bucket.objects["bucket/m.gguf"] = DATA
    await pull_until(store_of(), "s3://bucket/m.gguf", 2_000_000)
    kept = (store_of().folder.path / "m.gguf.part").stat().st_size
    await pull(store_of(), "s3://bucket/m.gguf")
    assert store_of().folder.get("m").path.read_bytes() == DATA
    assert s3.bucket.ranges[-1] == f"bytes={kept}-{len(DATA) - 1}"


async def test_changed_object_begins_again(s3: S3, store_of: MakeStore) -> None:
    s3.bucket.objects["bucket/m.gguf"] = DATA
    await pull_until(store_of(), "s3://bucket/m.gguf", 2_000_000)
    s3.bucket.objects["bucket/m.gguf"] = changed = gguf(len(DATA), seed=1)
    await pull(store_of(), "s3://bucket/m.gguf")
    assert store_of().folder.get("m").path.read_bytes() == changed
    store = store_of()
    await store.folder.remove("m")
    found = await store.find("s3://bucket/m.gguf")
    s3.bucket.objects["bucket/m.gguf"] = DATA
    assert [step async for step in store.pull(found)][-1].state == PullState.READY
    assert store.folder.get("m").path.read_bytes() == DATA


async def test_broken_connection_is_resumed(s3: S3, store_of: MakeStore) -> None:
    s3.bucket.objects["bucket/m.gguf"] = DATA
    s3.bucket.cuts = [1_500_000, 500_000]
    await pull(store_of(), "s3://bucket/m.gguf")
    assert store_of().folder.get("m").path.read_bytes() == DATA


async def test_parts_are_one_model(s3: S3, store_of: MakeStore) -> None:
    for number in (1, 2, 3):
        s3.bucket.objects[f"bucket/m-{number:05}-of-00003.gguf"] = gguf(1000, seed=number)
    await pull(store_of(), "s3://bucket/m-00001-of-00003.gguf")
    assert store_of().folder.get("m").size_bytes == 3000


async def test_what_cannot_be_pulled_is_refused(s3: S3, store_of: MakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of()
    with pytest.raises(NotFound, match="check bucket and key"):
        await store.find("s3://bucket/none.gguf")
    for address in ("s3://bucket", "s3:///m.gguf", "s3://bucket/m.bin", "s3://bucket/../m.gguf"):
        with pytest.raises(ValidationFailed):
            await store.find(address)
    s3.bucket.objects["bucket/page.gguf"] = b"<html>" * 10
    with pytest.raises(UnsupportedType):
        await pull(store, "s3://bucket/page.gguf")
    s3.bucket.forbidden = True
    with pytest.raises(UpstreamRefused, match="AWS_ACCESS_KEY_ID"):
        await store.find("s3://bucket/m.gguf")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UpstreamUnavailable, match="cannot read"):
        await store.find("s3://bucket/m.gguf")
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(ValidationFailed, match="Account must be specified"):
        await store.find("az://container/m.gguf")
    assert names(store) == set()
