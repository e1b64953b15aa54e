"""The source `local`: GGUF files of this machine, as they come and go."""

import time
from typing import Final

from loguru import logger

from app.core.errors import AppError
from app.core.model_settings import LocalSettings
from app.services.llm.providers.gguf import GGUF
from app.services.llm.source import Address, Source, Terms
from app.services.llm.store.folder import ModelFolder

NAME: Final = "local"
LOOK_EVERY_S: Final = 2.0


class Presence:
    """Whether there is any model file. Asked for each chat, so it looks at most every two seconds."""

    def __init__(self, folder: ModelFolder) -> None:
        self._folder = folder
        self._found, self._looked = False, -LOOK_EVERY_S

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self._looked >= LOOK_EVERY_S:
            self._found, self._looked = self._folder.is_inhabited, now
        return self._found

    def forget(self) -> None:
        self._looked = -LOOK_EVERY_S


def local_source(folder: ModelFolder, settings: LocalSettings, terms: Terms) -> Source:
    """It is configured while there is a model. A file that is removed is unloaded before."""
    gguf = GGUF(NAME, settings, where=folder.path, files=lambda: {model.name: model.path for model in folder.files()})
    present = Presence(folder)
    source = Source([Address(str(folder.path), gguf)], terms.limited(settings.local_parallel, present))

    async def changed(_: str) -> None:
        present.forget()
        source.forget()

    folder.release, folder.on_changed = gguf.unload, changed
    return source


async def load_at_start(source: Source, settings: LocalSettings) -> None:
    """If the settings say so: the first question should not wait for the model."""
    provider = source.provider
    if not settings.local_load_at_start or not isinstance(provider, GGUF) or not source.is_configured:
        return
    try:
        loaded = await provider.load(None)
        logger.info("local model {} is loaded", loaded.name)
    except AppError as error:
        logger.warning("the local model was not loaded at the start: {}", error.message)
