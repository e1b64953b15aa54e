"""The folder of models: what is listed, what is removed, and what is not ours to touch."""

from pathlib import Path

import pytest

from app.core.errors import Conflict, UnknownName
from app.core.model_settings import ModelFileSettings
from app.services.llm.store.folder import ModelFolder


def folder_of(data_dir: Path, **settings: object) -> ModelFolder:
    return ModelFolder(ModelFileSettings(**settings, _env_file=None), data_dir)  # type: ignore[arg-type]


def filled(path: Path, *names: str) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_bytes(b"GGUF" + b"x" * 96)
    return path


def test_models_are_listed_by_name_with_their_parts_as_one(tmp_path: Path) -> None:
    filled(
        tmp_path / "models",
        *("b.gguf", "a.GGUF", "notes.txt", "c.gguf.part", ".hidden.gguf"),
        *("big-00001-of-00002.gguf", "big-00002-of-00002.gguf", "half-00001-of-00002.gguf", "late-00002-of-00002.gguf"),
    )
    (tmp_path / "models" / "folder.gguf").mkdir()
    models = folder_of(tmp_path).files()
    assert [(model.name, model.size_bytes, model.path.name) for model in models] == [
        ("a", 100, "a.GGUF"),
        ("b", 100, "b.gguf"),
        ("big", 200, "big-00001-of-00002.gguf"),
    ]
    assert all(model.origin is None and model.modified.tzinfo is not None for model in models)


def test_folder_that_is_not_there_has_no_models(tmp_path: Path) -> None:
    assert folder_of(tmp_path).files() == []
    assert not (tmp_path / "models").exists()


async def test_local_model_path_may_be_a_folder_or_one_file(tmp_path: Path) -> None:
    mine = filled(tmp_path / "mine", "a.gguf", "b.gguf", "big-00001-of-00002.gguf", "big-00002-of-00002.gguf")
    assert [model.name for model in folder_of(tmp_path, local_model_path=mine).files()] == ["a", "b", "big"]
    single = folder_of(tmp_path, local_model_path=mine / "a.gguf")
    assert [model.path for model in single.files()] == [mine / "a.gguf"]
    parted = folder_of(tmp_path, local_model_path=mine / "big-00001-of-00002.gguf")
    assert [len(model.parts) for model in parted.files()] == [2]
    assert folder_of(tmp_path, local_model_path=mine / "missing.gguf").files() == []
    with pytest.raises(Conflict, match="is one file and its folder is not ours"):
        await single.remove("a")
    with pytest.raises(Conflict, match="is one file"):
        single.make()
    assert (mine / "a.gguf").exists()


async def test_removal_asks_for_release_first_and_tells_afterwards(tmp_path: Path) -> None:
    path = filled(tmp_path / "models", "a.gguf", "b.gguf") / "a.gguf"
    folder = folder_of(tmp_path)
    told: list[tuple[str, str, bool]] = []

    async def release(name: str) -> None:
        told.append(("release", name, path.exists()))

    async def changed(name: str) -> None:
        told.append(("changed", name, path.exists()))

    folder.release, folder.on_changed = release, changed
    await folder.remove("a")
    assert told == [("release", "a", True), ("changed", "a", False)]
    assert [model.name for model in folder.files()] == ["b"]


@pytest.mark.parametrize("name", ["", ".", "..", "../outside", "/etc/passwd", "a.gguf", "models/a", "a\0", "A"])
async def test_only_names_of_models_are_removed(tmp_path: Path, name: str) -> None:
    filled(tmp_path, "outside.gguf")
    filled(tmp_path / "models", "a.gguf")
    with pytest.raises(UnknownName, match="known: a"):
        await folder_of(tmp_path).remove(name)
    assert (tmp_path / "outside.gguf").exists()


async def test_unknown_model_is_refused_with_the_closest_names(tmp_path: Path) -> None:
    filled(tmp_path / "models", "qwen-0.5b-Q4_K_M.gguf", "llama-1b-Q4_K_M.gguf", "zebra.gguf")
    with pytest.raises(UnknownName, match=r"unknown model 'llama-1b'; known: llama-1b-Q4_K_M$"):
        await folder_of(tmp_path).remove("llama-1b")


async def test_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    target = filled(tmp_path / "elsewhere", "real.gguf") / "real.gguf"
    filled(tmp_path / "models")
    (tmp_path / "models" / "link.gguf").symlink_to(target)
    await folder_of(tmp_path).remove("link")
    assert target.exists()
    assert folder_of(tmp_path).files() == []


async def test_model_in_use_is_not_removed_until_all_let_go(tmp_path: Path) -> None:
    filled(tmp_path / "models", "a.gguf")
    folder = folder_of(tmp_path)
    holds = [folder.hold("a"), folder_of(tmp_path).hold("a")]
    for hold in holds:
        with pytest.raises(Conflict, match="'a' is loaded by another process"):
            await folder.remove("a")
        hold.close()
    await folder.remove("a")
    with pytest.raises(UnknownName):
        folder.hold("a")
