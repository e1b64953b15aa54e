"""A journal of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.services.streams.journal import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    opened = Journal(path)
    yield opened
    await opened.aclose()
