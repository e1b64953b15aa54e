"""A real browser, a real service, and a fake model server whose behaviour each question chooses."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, async_playwright

from app.services.llm.store import offer
from tests import tiny_gguf
from tests.browser.visitor import Visitor
from tests.fakes.hub import Hub
from tests.fakes.upstream import ASKED, Upstream
from tests.processes import free_port
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


ROWS = """
sources:
  - name: second
    base_urls: [{up}]
    default_model: fake-n20
    models:
      - name: fake-n20
        context_tokens: 131072
        prompt_price: 1000
        completion_price: 1000
      - name: bge-m3
        kind: embedding
      - name: Überlange-Modellbezeichnung-für-größere-Straßenverzeichnisse-70b-instruct-q4_k_m-2026-11-imatrix
  - name: narrow
    base_urls: [{up}]
    default_model: fake-asked
    max_concurrent: 1
  - name: lost
    base_urls: [{down}]
    default_model: fake-q20
    fallback: [second/fake-f2500-n5]
"""


@pytest.fixture(scope="session")
def house(model: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with several sources, one of which is down and one of which serves one at a time."""
    folder = tmp_path_factory.mktemp("house")
    rows = folder / "models.yaml"
    rows.write_text(ROWS.format(up=model.url, down=f"http://127.0.0.1:{free_port()}/v1"))
    service = Service(
        folder,
        {
            "OPENAI_BASE_URL": model.url,
            "OPENAI_MODEL": ASKED,
            "OPENAI_CONTEXT_TOKENS": "1000000",
            "MODELS_CONFIG": str(rows),
        },
    )
    yield service
    service.kill()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Where models are fetched from; it has the one that is offered. A service asks for that once, at its start."""
    with Hub() as hub:
        hub.add(offer.REPO, offer.FILE, tiny_gguf.chat(tmp_path / "offered.gguf", width=384).read_bytes())
        yield hub


@pytest.fixture
def bare(hub: Hub, tmp_path: Path) -> Iterator[Service]:
    """A service without any model, which reaches the hub."""
    service = Service(tmp_path, {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "false"})
    yield service
    service.kill()


@pytest.fixture
async def guest(context: BrowserContext, house: Service) -> AsyncIterator[Visitor]:
    """A signed-in user of the service with several sources."""
    someone = await Visitor.register(context, house.url)
    yield someone
    assert someone.complaints == []


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
