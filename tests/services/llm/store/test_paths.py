"""Models that lie on this machine already."""

from pathlib import Path

import pytest

from app.core.errors import AppError, NotFound, UnsupportedType, ValidationFailed
from tests.fakes.hub import gguf
from tests.services.llm.store.conftest import MakeStore, names, pull

SHM = Path("/dev/shm")


def made(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("prefix", ["", "file://", "file://localhost"])
async def test_file_gets_a_second_name_instead_of_a_copy(tmp_path: Path, store_of: MakeStore, prefix: str) -> None:
    source = made(tmp_path / "down loads" / "m.gguf", gguf(3_000_000))
    address = f"{prefix}{source}".replace(" ", "%20") if prefix else str(source)
    store = store_of()
    await pull(store, address)
    model = store.folder.get("m")
    assert model.path.samefile(source)
    assert model.origin is not None
    assert model.origin.address == str(source)
    await store.folder.remove("m")
    assert source.read_bytes() == gguf(3_000_000)
    assert names(store) == set()


async def test_parts_come_together(tmp_path: Path, store_of: MakeStore) -> None:
    for number in (1, 2):
        made(tmp_path / "in" / f"m-{number:05}-of-00002.gguf", gguf(1000, seed=number))
    store = store_of()
    await pull(store, str(tmp_path / "in" / "m-00002-of-00002.gguf"))
    assert len(store.folder.get("m").parts) == 2


@pytest.mark.skipif(not SHM.is_dir() or SHM.stat().st_dev == Path("/tmp").stat().st_dev, reason="no second file system")
async def test_file_of_another_file_system_is_copied(tmp_path: Path, store_of: MakeStore) -> None:
    source = made(SHM / tmp_path.name / "m.gguf", gguf(3_000_000))
    try:
        store = store_of()
        await pull(store, str(source))
        assert store.folder.get("m").path.read_bytes() == source.read_bytes()
    finally:
        source.unlink()
        source.parent.rmdir()


async def test_changed_source_is_taken_again_and_never_written_to(tmp_path: Path, store_of: MakeStore) -> None:
    source = made(tmp_path / "m.gguf", gguf(1000))
    await pull(store_of(), str(source))
    source.unlink()
    made(source, gguf(2000, seed=1))
    await pull(store_of(), str(source))
    assert store_of().folder.get("m").path.read_bytes() == source.read_bytes() == gguf(2000, seed=1)


@pytest.mark.parametrize(
    ("name", "data", "error"),
    [
        ("m.gguf", b"<html>", UnsupportedType),
        ("m.gguf", b"GG", UnsupportedType),
        ("m.gguf", b"", ValidationFailed),
        ("m.gguf", None, NotFound),
        ("m.bin", b"GGUF1234", ValidationFailed),
    ],
    ids=["page", "short", "empty", "missing", "suffix"],
)
async def test_what_is_no_model_is_refused(
    tmp_path: Path, store_of: MakeStore, name: str, data: bytes | None, error: type[AppError]
) -> None:
    source = tmp_path / name
    if data is not None:
        made(source, data)
    with pytest.raises(error):
        await pull(store_of(), str(source))
    assert names(store_of()) == set()
    assert data is None or source.read_bytes() == data


async def test_path_on_another_machine_is_refused(store_of: MakeStore) -> None:
    for address in ("file://host/m.gguf", "file:relative.gguf", "file://m.gguf"):
        with pytest.raises(ValidationFailed):
            await store_of().find(address)
