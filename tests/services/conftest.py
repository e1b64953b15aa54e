"""A store of vectors for all tests of services, and libraries on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.db.session import Database
from app.rag.vectors import ChromaProcess
from tests.services.doubles import ScriptedParser
from tests.services.library import Library, prose, running


@pytest.fixture(scope="session")
async def chroma(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ChromaProcess]:
    store = ChromaProcess(tmp_path_factory.mktemp("vectors"), prefix="test")
    yield store
    await store.aclose()


@pytest.fixture
async def library(sqlite_db: Database, tmp_path: Path, chroma: ChromaProcess) -> AsyncIterator[Library]:
    async with running(Library(sqlite_db, tmp_path, vectors=chroma)) as library:
        yield library


@pytest.fixture
async def scripted(sqlite_db: Database, tmp_path: Path, chroma: ChromaProcess) -> AsyncIterator[Library]:
    """Its parser waits at page 20 until the test lets it go on."""
    parser = ScriptedParser([prose(4, seed=n) for n in range(40)])
    parser.waits_at = 20
    async with running(Library(sqlite_db, tmp_path, parser=parser, vectors=chroma)) as library:
        yield library
