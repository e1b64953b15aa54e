"""The models that there are: their files by name, and what each says of itself."""

import asyncio
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from app.core.errors import AppError, ModelUnavailable, UnknownName, ValidationFailed
from app.services.llm.base import ModelKind
from app.services.llm.gguf.header import Header, is_later_part, model_name, read_header
from app.services.llm.gguf.reader import BadFile

Files: TypeAlias = Callable[[], Mapping[str, Path]]
MAX_LISTED: Final = 10
WORDS: Final = {
    ModelKind.CHAT: "a chat model",
    ModelKind.EMBEDDING: "an embedding model",
    ModelKind.RERANK: "a reranking model",
}


@dataclass(frozen=True, slots=True)
class Model:
    """`stamp`: size and time of change."""

    name: str
    path: Path
    stamp: tuple[int, int]
    header: Header


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that cannot be used, and why."""

    name: str
    path: Path
    stamp: tuple[int, int]
    fault: str


def gguf_files(path: Path) -> Files:
    """The names of a file, or of all files of a folder."""
    return lambda: {
        model_name(file): file
        for file in (sorted(path.glob("*.gguf")) if path.is_dir() else [path])
        if not is_later_part(file)
    }


class Folder:
    """`files` is called in a thread each time: models come and go while the service runs."""

    def __init__(self, files: Files, *, where: Path, preferred: str | None) -> None:
        self._files, self._where, self._preferred = files, where, preferred
        self._known: dict[str, Model | Broken] = {}

    async def models(self) -> list[Model | Broken]:
        return await asyncio.to_thread(self._read)

    async def find(self, name: str | None, kind: ModelKind | None = None) -> Model:
        """The model of that name, or the one for None. Raises UnknownName, ModelUnavailable or ValidationFailed."""
        models = {model.name: model for model in await self.models()}
        found = models.get(name) if name is not None else self._default(models, kind or ModelKind.CHAT)
        if found is None:
            raise self._missing(name, list(models), kind or ModelKind.CHAT)
        if isinstance(found, Broken):
            raise ModelUnavailable(f"{str(found.path)!r} cannot be loaded: {found.fault}")
        if kind is not None and found.header.kind is not kind:
            others = ", ".join([m.name for m in _of(kind, models)][:MAX_LISTED])
            raise ValidationFailed(
                f"{found.name!r} is {WORDS[found.header.kind]} and cannot be used as {WORDS[kind]}; "
                f"{f'known: {others}' if others else f'there is none of that kind in {str(self._where)!r}'}"
            )
        return found

    def _default(self, models: Mapping[str, Model | Broken], kind: ModelKind) -> Model | Broken | None:
        if kind is ModelKind.CHAT and self._preferred is not None:
            if self._preferred not in models:
                raise self._missing(self._preferred, list(models), kind, setting="LOCAL_MODEL")
            return models[self._preferred]
        usable = _of(kind, models)
        if not usable and len(models) == 1:  # then this one was meant, and why it cannot be used is the answer
            usable = list(models.values())
        return usable[0] if usable else None

    def _missing(self, name: str | None, known: list[str], kind: ModelKind, setting: str = "model") -> AppError:
        if not known or name is None:
            return ModelUnavailable(
                f"there is no {kind} model in {str(self._where)!r}; fetch one with `llama-service models pull`, or "
                "name a file or folder with LOCAL_MODEL_PATH"
            )
        close = difflib.get_close_matches(name, known, MAX_LISTED, 0.3)
        return UnknownName.of(setting, name, close or known[:MAX_LISTED])

    def _read(self) -> list[Model | Broken]:
        try:
            files = self._files()
        except OSError as error:
            raise ModelUnavailable(f"{str(self._where)!r} cannot be read: {error.strerror or error}") from None
        self._known = {name: self._model(name, path) for name, path in sorted(files.items())}
        return list(self._known.values())

    def _model(self, name: str, path: Path) -> Model | Broken:
        try:
            state = path.stat()
        except OSError as error:
            return Broken(name, path, (0, 0), f"it cannot be read: {error.strerror or error}")
        stamp = (state.st_size, state.st_mtime_ns)
        known = self._known.get(name)
        if known is not None and (known.path, known.stamp) == (path, stamp):
            return known
        if not path.is_file():
            return Broken(name, path, stamp, "it is not a file")
        try:
            return Model(name, path, stamp, read_header(path))
        except BadFile as error:
            return Broken(name, path, stamp, str(error))


def _of(kind: ModelKind, models: Mapping[str, Model | Broken]) -> list[Model | Broken]:
    return [model for model in models.values() if isinstance(model, Model) and model.header.kind is kind]
