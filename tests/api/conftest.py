"""One service with a fake model behind it for all tests of the API, and a new user for each."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.api.people import Person
from tests.chats import Chat
from tests.fakes.upstream import Upstream
from tests.service import Service


@pytest.fixture(scope="session")
def model() -> Iterator[Upstream]:
    """The model server behind `chatting`. Its counts are those of all tests."""
    with Upstream() as server:
        yield server


@pytest.fixture(scope="session")
def chatting(model: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose models are `model`'s and `passages`."""
    env = {"OPENAI_BASE_URL": model.url, "OPENAI_MODEL": "fake-n20", "OPENAI_CONTEXT_TOKENS": "4096"}
    env["URL_ALLOWED_NETWORKS"] = "127.0.0.1/32"
    service = Service(tmp_path_factory.mktemp("chatting"), env)
    yield service
    service.kill()


@pytest.fixture
async def anybody(chatting: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client who has not signed in."""
    async with chatting.client() as client:
        yield client


@pytest.fixture
async def person(chatting: Service) -> AsyncIterator[Person]:
    """A new user."""
    new = await Person.of(chatting)
    yield new
    await new.aclose()


@pytest.fixture
async def chat(chatting: Service) -> AsyncIterator[Chat]:
    """A new user's chat."""
    person = await Person.of(chatting)
    yield Chat(person.http)
    await person.aclose()


@pytest.fixture
async def stranger(chatting: Service) -> AsyncIterator[Chat]:
    """Another user's chat."""
    person = await Person.of(chatting)
    yield Chat(person.http)
    await person.aclose()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service without a model, for the tests of one file; a file may have one with other settings."""
    running = Service(tmp_path_factory.mktemp("service"), {})
    yield running
    running.kill()


@pytest.fixture
async def ann(service: Service) -> AsyncIterator[Person]:
    """A user of `service`."""
    person = await Person.of(service)
    yield person
    await person.aclose()


@pytest.fixture
async def bob(service: Service) -> AsyncIterator[Person]:
    """Another user of `service`."""
    person = await Person.of(service)
    yield person
    await person.aclose()
