"""Rerankers at an endpoint and in a GGUF file: their scores, their faults, and that nobody waits for one that fails."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.core.errors import AppError, SettingsError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.core.model_settings import LLMSettings
from app.services.llm.http import FixedKey, Http
from app.services.llm.pool import Pool
from app.services.llm.providers.openai_compatible import Endpoint, OpenAICompatible
from app.services.llm.providers.passages import Passages
from app.services.llm.rerankers import SourceReranker, build_reranker
from app.services.llm.source import Address, Source
from tests.fakes.reranking import Reranking
from tests.services.llm.local_models import opened
from tests.services.llm.sources import terms

TEXTS = ["the cat", "a dog and the cat", "nothing"]


@pytest.fixture
def server() -> Iterator[Reranking]:
    with Reranking() as server:
        yield server


@pytest.fixture
async def source(server: Reranking) -> AsyncIterator[Source]:
    provider = OpenAICompatible("openai", Endpoint(server.url), credentials=FixedKey("k"), http=Http())
    source = Source([Address(server.url, provider)], terms())
    yield source
    await source.aclose()


async def test_scores_stand_in_the_order_of_the_texts(server: Reranking, source: Source) -> None:
    found = await SourceReranker(source, "m", timeout_s=20).rerank("a dog", TEXTS)
    assert found == [-3.5, -1.5, -3.5]
    assert server.asked == [{"query": "a dog", "documents": TEXTS, "top_n": 3, "model": "m"}]
    await SourceReranker(source, None, timeout_s=20).rerank("a dog", TEXTS)
    assert "model" not in server.asked[-1]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ((500, {"error": {"message": "broken"}}), UpstreamUnavailable),
        ((404, {"error": {"message": "no such model"}}), UpstreamRefused),
        ((200, {"results": [{"index": 0, "relevance_score": 1.0}]}), UpstreamRefused),
        ((200, {"data": []}), UpstreamRefused),
        ((200, {"results": [{"index": n, "relevance_score": None} for n in range(3)]}), UpstreamRefused),
        (None, UpstreamTimeout),
    ],
    ids=str,
)
async def test_every_fault_is_one_of_ours(
    server: Reranking, source: Source, said: tuple[int, object] | None, kind: type[AppError]
) -> None:
    server.said = said
    with pytest.raises(kind):
        await SourceReranker(source, "m", timeout_s=20 if said else 0.05).rerank("a dog", TEXTS)


async def test_a_server_that_fails_is_left_alone_and_its_chat_is_not(server: Reranking, source: Source) -> None:
    server.said = (500, {"error": {"message": "broken"}})
    reranker = SourceReranker(source, "m", timeout_s=20)
    for _ in range(20):
        with pytest.raises(UpstreamUnavailable):
            await reranker.rerank("a dog", TEXTS)
    assert len(server.asked) < 20
    assert source.choose("m", set())[1] == 0


async def test_a_gguf_file(tiny_models: Path) -> None:
    async with opened(tiny_models) as local:
        reranker = SourceReranker(Source([Address("local", local)], terms()), None, timeout_s=60)
        assert len(await reranker.rerank("the dog", TEXTS)) == 3


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"reranker_model": "m"}, "RERANKER_MODEL='m' cannot be used without RERANKER_SOURCE"),
        ({"reranker_source": "passages"}, "RERANKER_SOURCE='passages' cannot be used: the known ones are openai"),
        ({"reranker_source": "aihub"}, "it is not configured; set AIHUB_URL; the known ones are openai"),
    ],
)
def test_what_cannot_be_used(source: Source, settings: dict[str, str], sentence: str) -> None:
    pool = Pool([source, Source([Address("", Passages())], terms())], default=None, missing={"aihub": "set AIHUB_URL"})
    with pytest.raises(SettingsError, match=sentence.replace("(", r"\(")):
        build_reranker(LLMSettings(_env_file=None, **settings), pool)
    assert build_reranker(LLMSettings(_env_file=None), pool) is None
    assert build_reranker(LLMSettings(_env_file=None, reranker_source="openai"), pool) is not None
