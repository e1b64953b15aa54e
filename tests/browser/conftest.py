"""A real browser, a real service, and a fake model server whose behaviour each question chooses."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

from tests.browser.visitor import Visitor
from tests.fakes.upstream import ASKED, Upstream
from tests.service import Service

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium; CHROMIUM may name another."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        await started.close()


@pytest.fixture(scope="session")
def model() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="session")
def site(model: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose model does what the question says."""
    service = Service(
        tmp_path_factory.mktemp("site"),
        {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "x",
            "OPENAI_MODEL": ASKED,
            "OPENAI_CONTEXT_TOKENS": "1000000",
        },
    )
    yield service
    service.kill()


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """A browser profile of its own for each test."""
    made = await browser.new_context(viewport={"width": 1280, "height": 820})
    yield made
    await made.close()


@pytest.fixture
async def visitor(context: BrowserContext, site: Service) -> AsyncIterator[Visitor]:
    """A signed-in user who has just come. What the browser complains of fails the test."""
    someone = await Visitor.register(context, site.url)
    yield someone
    assert someone.complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """The accessibility checker's source."""
    return (Path(__file__).parents[2] / "frontend/node_modules/axe-core/axe.min.js").read_text()
