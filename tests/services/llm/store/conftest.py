"""A hub, and stores that pull from it into folders of their own."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from app.core.model_settings import ModelFileSettings
from app.services.llm.store.base import Progress
from app.services.llm.store.folder import ModelFolder
from app.services.llm.store.store import Store
from tests.fakes.hub import Hub

MakeStore = Callable[..., Store]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
async def store_of(hub: Hub, tmp_path: Path) -> AsyncIterator[MakeStore]:
    """`store_of(model_cache_mb=1)`: another one on the same folder, as another process would have."""
    made: list[Store] = []

    def make(**settings: object) -> Store:
        given = ModelFileSettings(**{"hf_endpoint": hub.url, "pull_stall_timeout_s": 5, **settings}, _env_file=None)  # type: ignore[arg-type]
        made.append(Store(ModelFolder(given, tmp_path / "data"), given, backoff_s=0.01))
        return made[-1]

    yield make
    for store in made:
        await store.aclose()


async def pull(store: Store, address: str) -> list[Progress]:
    """All that a whole pull tells."""
    async with aclosing(store.pull(await store.find(address))) as steps:
        return [step async for step in steps]


async def pull_until(store: Store, address: str, size: int) -> None:
    """Give up after `size` bytes, as a process that ends does."""
    async with aclosing(store.pull(await store.find(address))) as steps:
        async for step in steps:
            if step.bytes_done >= size:
                return


def names(store: Store) -> set[str]:
    """What is in the folder."""
    return {path.name for path in store.folder.path.iterdir()} if store.folder.path.exists() else set()
