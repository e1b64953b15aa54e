"""An embedder over a source of models: what it learns, what it sends, and how it fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from app.core.errors import AppError, ModelUnavailable, UpstreamRefused, UpstreamUnavailable
from app.rag.base import Embedder, TokenLimit, Vectors
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.provider import ProviderEmbedder
from app.rag.pages import Page
from app.rag.splitter import split
from tests.fakes.embeddings import words

Make = Callable[..., ProviderEmbedder]
SOON_S = 10
SENTENCE = "The harbour crane was painted green in spring. "


@dataclass
class Answer:
    vectors: Vectors
    model: str


class Source:
    """What a provider's embed would be. `error` is raised while it is set; `gate` holds documents back."""

    def __init__(self, *, model: str = "words-48", width: int = 48) -> None:
        self.model, self.width = model, width
        self.error: AppError | None = None
        self.asked: list[list[str]] = []
        self.arrivals: asyncio.Queue[list[str]] = asyncio.Queue()
        self.change: Callable[[Answer], Answer] = lambda answer: answer
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, texts: Sequence[str]) -> Answer:
        self.asked.append(list(texts))
        self.arrivals.put_nowait(list(texts))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return self.change(Answer(words(list(texts), self.width), self.model))


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[ProviderEmbedder] = []

    def build(source: Source, *, max_tokens: int = 512) -> ProviderEmbedder:
        made.append(ProviderEmbedder("hub", source, max_tokens=max_tokens))
        return made[-1]

    yield build
    for embedder in made:
        await embedder.aclose()


async def test_model_and_dimension_are_learned_from_its_answers(make: Make) -> None:
    source = Source()
    embedder = make(source)
    both: tuple[Embedder, TokenLimit] = (embedder, embedder)
    assert both[0].fingerprint is None
    assert source.asked == []
    assert await embedder.identify() == "hub/words-48@48" == embedder.fingerprint
    assert await make(Source(width=64, model="other|model")).identify() == "hub/other_model@64"
    long = await make(Source(model="m" * 300)).identify()
    assert len(long) < 180
    assert long != await make(Source(model="m" * 301)).identify()


async def test_vectors_have_length_one_and_the_order_of_their_texts(make: Make) -> None:
    source = Source()
    embedder = make(source)
    await embedder.identify()
    texts = [f"{SENTENCE} number {n}" for n in range(50)]
    source.asked.clear()
    vectors = await embedder.embed(texts, urgency="document")
    expected = words(texts, 48)
    assert vectors == pytest.approx(expected / np.linalg.norm(expected, axis=1, keepdims=True), abs=1e-6)
    assert vectors.dtype == np.float32
    assert sorted(len(batch) for batch in source.asked) == [2, 16, 16, 16]
    assert (await embedder.embed([], urgency="query")).shape == (0, 48)


async def test_a_floor_of_relation_lies_above_texts_that_have_nothing_in_common(make: Make) -> None:
    """A model all of whose vectors are near each other has a higher one."""
    crowded = Source(width=4096)
    crowded.change = lambda answer: Answer(answer.vectors + 5, answer.model)
    far, near = make(Source(width=4096)), make(crowded)
    assert far.related_from == 1.0  # nothing is known yet
    await asyncio.gather(far.identify(), near.identify())
    assert 0.2 < far.related_from < 0.6
    assert 0.98 < near.related_from < 1


async def test_the_floor_of_a_model_that_is_known_is_near_the_one_that_was_measured(make: Make) -> None:
    minilm = MiniLM()

    async def ask(texts: Sequence[str]) -> Answer:
        return Answer(await minilm.embed(texts, urgency="query"), "all-minilm")

    embedder = ProviderEmbedder("hub", ask, max_tokens=256)
    assert await embedder.identify() == "hub/all-minilm@384"
    assert embedder.related_from == pytest.approx(MiniLM.related_from, abs=0.03)
    await embedder.aclose()
    await minilm.aclose()


async def test_models_that_were_trained_with_instructions_get_them(make: Make) -> None:
    source = Source(model="nomic-embed-text:latest")
    embedder = make(source)
    marked = await embedder.identify()
    assert marked.startswith("hub/nomic-embed-text:latest@48+")
    source.asked.clear()
    await embedder.embed(["a crane"], urgency="query")
    await embedder.embed(["a crane"], urgency="document")
    assert source.asked == [["search_query: a crane"], ["search_document: a crane"]]


async def test_a_query_does_not_wait_for_documents(make: Make) -> None:
    source = Source()
    embedder = make(source)
    await embedder.identify()
    source.gate.clear()
    source.arrivals = asyncio.Queue()
    documents = asyncio.create_task(embedder.embed([SENTENCE] * 400, urgency="document"))
    for _ in range(2):
        assert len(await asyncio.wait_for(source.arrivals.get(), SOON_S)) == 16
    query = asyncio.create_task(embedder.embed(["crane"], urgency="query"))
    # Two batches of documents are under way, and no more.
    assert await asyncio.wait_for(source.arrivals.get(), SOON_S) == ["crane"]
    source.gate.set()
    assert len(await query) == 1
    assert len(await documents) == 400


async def test_passages_fit_models_of_512_tokens_whatever_their_script(make: Make) -> None:
    embedder = make(Source())
    for text in (SENTENCE * 200, "港口的起重机在春天被漆成绿色。" * 300, "0123456789 " * 400, "x" * 9000):
        chunks = split([Page(1, text)], size=8000, overlap=200, limit=embedder, max_tokens=embedder.max_tokens)
        longest = max(len(embedder.token_offsets([chunk.text])[0]) for chunk in chunks)
        assert 400 < longest <= 460
    short = split([Page(1, SENTENCE * 40)], size=1000, overlap=0, limit=embedder, max_tokens=embedder.max_tokens)
    assert max(len(chunk.text) for chunk in short) > 900


async def test_a_question_that_is_too_long_is_cut(make: Make) -> None:
    source = Source()
    embedder = make(source, max_tokens=100)
    await embedder.identify()
    await embedder.embed(["word " * 50_000], urgency="query")
    (sent,) = source.asked[-1]
    assert 100 < len(sent) < 500


async def test_a_source_that_is_down_is_asked_until_it_answers(make: Make) -> None:
    source = Source()
    source.error = UpstreamUnavailable("nobody listens")
    embedder = make(source)
    with pytest.raises(ModelUnavailable, match="hub does not embed: nobody listens") as failure:
        await embedder.identify()
    assert failure.value.retry_after_s is not None
    with pytest.raises(ModelUnavailable, match="nobody listens"):  # at once, without another request
        await embedder.embed(["crane"], urgency="query")
    assert len(source.asked) == 1
    assert embedder.fault == "hub does not embed: nobody listens"
    source.error = None
    assert embedder._learning is not None
    await asyncio.wait_for(embedder._learning, SOON_S)
    assert embedder.fingerprint == "hub/words-48@48"
    assert embedder.fault is None
    assert len(await embedder.embed(["crane"], urgency="query")) == 1


async def test_what_will_not_pass_says_no_time_to_try_again(make: Make) -> None:
    source = Source()
    source.error = UpstreamRefused("wrong key")
    with pytest.raises(ModelUnavailable, match="wrong key") as failure:
        await make(source).identify()
    assert failure.value.retry_after_s is None


async def test_after_a_query_that_failed_others_go_on_with_words_at_once(make: Make) -> None:
    source = Source()
    embedder = make(source)
    await embedder.identify()
    source.error = UpstreamUnavailable("gone")
    source.asked.clear()
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="gone"):
            await embedder.embed(["crane"], urgency="query")
    assert len(source.asked) == 1
    source.error = None
    await embedder.embed([SENTENCE], urgency="document")  # it works again
    assert embedder.fault is None
    await embedder.embed(["crane"], urgency="query")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda answer: Answer(answer.vectors, "words-49"), "restart the service to use it"),
        (lambda answer: Answer(answer.vectors[:, :7], answer.model), r"vectors of \(1, 7\), not of \(1, 48\)"),
        (lambda answer: Answer(answer.vectors[1:], answer.model), r"vectors of \(0, 48\), not of \(1, 48\)"),
        (lambda answer: Answer(answer.vectors * 0, answer.model), "a vector without a direction"),
        (lambda answer: Answer(answer.vectors * np.nan, answer.model), "a vector without a direction"),
    ],
    ids=["model", "dimension", "count", "zero", "not numbers"],
)
async def test_vectors_that_cannot_be_compared_are_refused(
    make: Make, change: Callable[[Answer], Answer], said: str
) -> None:
    source = Source()
    embedder = make(source)
    await embedder.identify()
    source.change = change
    with pytest.raises(ModelUnavailable, match=said) as failure:
        await embedder.embed([SENTENCE], urgency="document")
    assert failure.value.retry_after_s is None
