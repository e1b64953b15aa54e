"""Vectors and scores of real embedding and reranking models."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import ContextOverflow, ValidationFailed
from app.services.llm.providers.gguf import GGUF
from tests.services.llm.local_models import opened


@pytest.fixture(scope="module")
async def local(tiny_models: Path) -> AsyncIterator[GGUF]:
    async with opened(tiny_models) as provider:
        yield provider


async def test_vectors_have_length_one_and_their_texts_order(local: GGUF) -> None:
    texts = [f"the {word} and the cat" for word in ("dog", "hat", "word", "world")] * 20
    found = await local.embed(texts, model=None, dimensions=None)
    assert (found.vectors.shape, found.vectors.dtype, found.model) == ((80, 64), np.float32, "embedding")
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1)
    alone = [(await local.embed([text], model="embedding", dimensions=None)).vectors[0] for text in texts[:4]]
    assert np.allclose(found.vectors[:4], alone, atol=1e-5)
    assert np.allclose(found.vectors[:4], found.vectors[76:], atol=1e-5)
    assert not np.allclose(found.vectors[0], found.vectors[1], atol=1e-2)
    assert found.prompt_tokens is not None
    assert found.prompt_tokens >= 7 * 80


async def test_dimensions_are_cut_to_length_one(local: GGUF) -> None:
    found = await local.embed(["the cat"], model=None, dimensions=8)
    assert found.vectors.shape == (1, 8)
    assert np.linalg.norm(found.vectors) == pytest.approx(1)
    with pytest.raises(ValidationFailed, match=r"dimensions=65 .* has 64"):
        await local.embed(["the cat"], model=None, dimensions=65)


async def test_no_texts_have_no_vectors(local: GGUF) -> None:
    assert len((await local.embed([], model=None, dimensions=None)).vectors) == 0
    assert await local.rerank("the cat", [], model=None) == []


async def test_text_that_is_too_long_is_refused_and_not_cut(local: GGUF) -> None:
    long = "the hat " * 90
    with pytest.raises(ContextOverflow, match=r"begins 'the hat .* has 182 tokens and 'embedding' takes 128"):
        await local.embed(["the cat", long], model=None, dimensions=None)
    with pytest.raises(ContextOverflow, match="'rerank' takes 128"):
        await local.rerank("the cat", ["the dog", long], model=None)


async def test_scores_stand_in_the_order_of_their_texts(local: GGUF) -> None:
    texts = ["the dog", "a hot word", "he said that", "the dog"] * 10
    scores = await local.rerank("the dog", texts, model=None)
    assert len(scores) == 40
    assert scores[0] == pytest.approx(scores[3], abs=1e-4)
    assert scores[0] == pytest.approx(scores[39], abs=1e-4)
    assert scores[0] != pytest.approx(scores[1], abs=1e-4)
    backwards = await local.rerank("the dog", texts[::-1], model="rerank")
    assert backwards == pytest.approx(scores[::-1], abs=1e-4)
