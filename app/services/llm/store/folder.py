"""The folder of GGUF files: what is in it, where it is from, and its removal."""

import asyncio
import os
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from app.core import data_folder
from app.core.errors import Conflict, UnknownName
from app.core.model_settings import ModelFileSettings
from app.services.llm.store import locks
from app.services.llm.store.base import ModelFile, Origin, Told
from app.services.llm.store.names import SUFFIX, is_gguf, model_name, part_of, siblings
from app.services.llm.store.part import PART, STATE, PartState

T = TypeVar("T")
ORIGIN: Final = SUFFIX + ".json"
LOCK: Final = SUFFIX + ".lock"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A pull that was not finished: what is on disk, of which address."""

    name: str
    address: str
    bytes_done: int
    bytes_total: int


async def nobody(name: str) -> None:
    """Nobody needs to be told."""


class ModelFolder:
    """LOCAL_MODEL_PATH if it is set, else DATA_DIR/models. A single file is used as it is and nothing is written.

    `release` is asked before a model is removed and must let go of it; `on_changed` is told of new and removed models.
    Models in `pinned` are never removed to make room. All that is not async reads the disk: call it in a thread.
    """

    def __init__(self, settings: ModelFileSettings, data_dir: Path) -> None:
        given = settings.local_model_path
        self._only = given.absolute() if given is not None and (given.is_file() or is_gguf(given.name)) else None
        self.path = self._only.parent if self._only else (given or data_dir / "models").absolute()
        self.release: Told = nobody
        self.on_changed: Told = nobody
        self.pinned: frozenset[str] = frozenset()

    def files(self) -> list[ModelFile]:
        """The models, by name. One whose parts are not all there is none."""
        found = []
        for name, paths in self._groups().items():
            first = part_of(paths[0].name)
            if first.number == 1 and len(paths) == first.total:
                found.append(self._model(name, paths))
        return sorted(found, key=lambda model: model.name)

    @property
    def is_inhabited(self) -> bool:
        """Whether there is any model, by a quick look at names."""
        return self._only.is_file() if self._only else any(self.path.glob(f"*{SUFFIX}"))

    def get(self, name: str) -> ModelFile:
        """Raises UnknownName with the closest known names."""
        models = {model.name: model for model in self.files()}
        if name not in models:
            raise unknown_model(name, models)
        return models[name]

    def unfinished(self) -> list[Unfinished]:
        """What earlier pulls have left, by name."""
        states = [(part, _decoded(part, PartState)) for part in self._ending(STATE)]
        known = [(state.name, path, state) for path, state in states if state is not None]
        found = []
        for name, parts in groupby(sorted(known, key=lambda one: one[0]), key=lambda one: one[0]):
            group = [(path, state) for _, path, state in parts]
            done = sum(_size_of_part(path) for path, _ in group)
            found.append(Unfinished(name, group[0][1].address, done, group[0][1].total_bytes))
        return found

    def hold(self, name: str) -> locks.Hold:
        """Keep a model from being removed, by any process, until the hold is closed. Raises UnknownName."""
        model = self.get(name)
        hold = locks.Hold(model.path)
        if model.origin is not None:
            os.utime(self.origin_path(name))  # the time of its last use
        return hold

    def last_used(self, model: ModelFile) -> float:
        try:
            return self.origin_path(model.name).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def free_bytes(self) -> int:
        self.make()
        return shutil.disk_usage(self.path).free

    def make(self) -> None:
        """Raises Conflict when the models' place is one file, SettingsError when the folder cannot be made."""
        self._check_writable()
        data_folder.make(self.path)

    def pulling(self, name: str) -> AbstractContextManager[None]:
        """While a model is pulled. Raises Conflict when another process pulls it."""
        return locks.pulling(self.path / (name + LOCK), name)

    def origin_path(self, name: str) -> Path:
        return self.path / (name + ORIGIN)

    async def remove(self, name: str) -> None:
        """A model, and what unfinished pulls of it have left. Raises UnknownName, or Conflict while it is in use."""
        await asyncio.to_thread(self._paths_of, name)
        await self.release(name)
        await asyncio.to_thread(self.unlink, name)
        await self.on_changed(name)

    def unlink(self, name: str) -> None:
        """`remove` without asking or telling anybody."""
        paths = self._paths_of(name)
        with self.pulling(name):
            if any(locks.in_use(path) for path in paths if is_gguf(path.name)):
                raise Conflict(f"model {name!r} is loaded by another process; stop that first")
            for path in (*paths, self.origin_path(name)):
                path.unlink(missing_ok=True)

    def _paths_of(self, name: str) -> list[Path]:
        self._check_writable()
        states = [path for path in self._ending(STATE) if model_name(path.name.removesuffix(f"{PART}.json")) == name]
        parts = [path.with_name(path.name.removesuffix(".json")) for path in states]
        models = self._groups()
        found = [*models.get(name, []), *parts, *states]
        if not found:
            raise unknown_model(name, models)
        return found

    def _check_writable(self) -> None:
        if self._only is not None:
            raise Conflict(
                f"LOCAL_MODEL_PATH={str(self._only)!r} is one file and its folder is not ours; name a folder, or "
                "remove the setting to use DATA_DIR/models"
            )

    def _model(self, name: str, paths: list[Path]) -> ModelFile:
        stats = [path.stat() for path in paths]
        return ModelFile(
            name=name,
            path=paths[0],
            parts=tuple(paths),
            size_bytes=sum(stat.st_size for stat in stats),
            modified=datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC),
            origin=None if self._only else _decoded(self.origin_path(name), Origin),
        )

    def _groups(self) -> dict[str, list[Path]]:
        """The files of each model in the order of their parts."""
        groups: dict[str, list[Path]] = {}
        for path in sorted(self._ggufs()):
            groups.setdefault(model_name(path.name), []).append(path)
        return groups

    def _ggufs(self) -> Iterable[Path]:
        if self._only is not None:
            wanted = [self._only.with_name(name) for name in siblings(self._only.name)]
            return [path for path in wanted if path.is_file()]
        return [path for path in self._ending(SUFFIX) if path.is_file()]

    def _ending(self, suffix: str) -> list[Path]:
        try:
            with os.scandir(self.path) as entries:
                return [Path(e.path) for e in entries if e.name.lower().endswith(suffix) and e.name[0] != "."]
        except (FileNotFoundError, NotADirectoryError):
            return []


def unknown_model(name: str, known: Iterable[str]) -> UnknownName:
    """An error with the names that are most like `name`, or some when none is."""
    names = sorted(known)
    lower = {known_name.lower(): known_name for known_name in names}
    close = [lower[near] for near in get_close_matches(name.lower(), lower, n=3, cutoff=0.4)]
    return UnknownName.of("model", name, close or names[:5] or ["none"])


def _size_of_part(state: Path) -> int:
    """The file itself when it has got its own name already."""
    part = state.with_name(state.name.removesuffix(".json"))
    there = [path for path in (part, part.with_name(part.name.removesuffix(PART))) if path.exists()]
    return there[0].stat().st_size if there else 0


def _decoded(path: Path, kind: type[T]) -> T | None:
    """What a file of ours says, or None when it is not there or is not ours."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None
