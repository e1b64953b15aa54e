"""Embedding by a source: batches, attempts and addresses."""

import numpy as np
import pytest

from app.core.errors import AppError, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from app.services.llm.base import Embeddings
from app.services.llm.pool import Pool
from app.services.llm.source import Source
from tests.fakes.scripted import Scripted
from tests.services.llm.sources import source_of

BUSY = UpstreamUnavailable("busy", retry_after_s=0)


async def embed(source: Source, texts: list[str], dimensions: int | None = None) -> Embeddings:
    return await Pool([source], default=None).embed(source, texts, dimensions=dimensions)


async def test_many_texts_go_in_batches_and_come_back_in_order() -> None:
    model = Scripted([])
    found = await embed(source_of(model), ["x" * n for n in range(300)])
    assert found.vectors.shape == (300, 2)
    assert found.vectors[:, 0].tolist() == list(range(300))
    assert [len(texts) for texts in model.embedded] == [128, 128, 44]
    assert (found.model, found.prompt_tokens) == ("own", 21)


async def test_tokens_are_not_told_when_one_batch_does_not_tell() -> None:
    model = Scripted([])
    model.embeds = [Embeddings(np.ones((128, 2), np.float32), "own", None)]
    assert (await embed(source_of(model), ["x"] * 129)).prompt_tokens is None


async def test_a_server_that_is_busy_is_asked_three_times() -> None:
    model = Scripted([])
    model.embeds = [BUSY, BUSY]
    assert len((await embed(source_of(model), ["x"])).vectors) == 1
    model.embeds = [BUSY, BUSY, BUSY]
    with pytest.raises(UpstreamUnavailable, match="busy"):
        await embed(source_of(model), ["x"])
    assert len(model.embedded) == 6


async def test_another_address_is_asked_at_once() -> None:
    down, up = Scripted([]), Scripted([])
    down.embeds = [UpstreamUnavailable("down")] * 9
    source = source_of(down, up)
    for _ in range(4):
        assert len((await embed(source, ["x"])).vectors) == 1
    assert len(up.embedded) == 4


@pytest.mark.parametrize(
    "error", [UpstreamRefused("no"), UpstreamTimeout("late"), UpstreamUnavailable("x", retry_after_s=60)]
)
async def test_what_is_not_tried_again(error: AppError) -> None:
    model = Scripted([])
    model.embeds = [error]
    with pytest.raises(type(error)):
        await embed(source_of(model), ["x"])
    assert len(model.embedded) == 1


@pytest.mark.parametrize(
    "vectors",
    [np.ones((2, 2), np.float32), np.ones(1, np.float32), np.full((1, 2), np.nan, np.float32)],
    ids=["too many", "flat", "not numbers"],
)
async def test_what_is_no_answer_is_refused(vectors: np.ndarray) -> None:
    model = Scripted([])
    model.embeds = [Embeddings(vectors, "own")]
    with pytest.raises(UpstreamRefused, match="something else than 1 vectors"):
        await embed(source_of(model), ["x"])


async def test_dimensions_that_are_ignored_are_refused() -> None:
    model = Scripted([])
    assert (await embed(source_of(model), ["x"], dimensions=5)).vectors.shape == (1, 5)
    model.embeds = [Embeddings(np.ones((1, 2), np.float32), "own")]
    with pytest.raises(UpstreamRefused, match="2 dimensions, not of 5"):
        await embed(source_of(model), ["x"], dimensions=5)


async def test_a_source_whose_vectors_change_their_length_is_refused() -> None:
    model = Scripted([])
    model.embeds = [Embeddings(np.ones((128, 3), np.float32), "own")]
    with pytest.raises(UpstreamRefused, match="different lengths"):
        await embed(source_of(model), ["x"] * 129)
