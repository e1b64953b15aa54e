"""POST /v1/embeddings"""

import base64
from typing import Any

import numpy as np
import pytest

from tests.api.openai.asking import refused
from tests.api.people import Person
from tests.fakes.upstream import Upstream

PATH = "/v1/embeddings"


async def embed(person: Person, given: object, model: str = "openai/embedder", **more: object) -> dict[str, Any]:
    answer = await person.http.post(PATH, json={"model": model, "input": given, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert (found["object"], found["model"]) == ("list", model)
    assert [entry["index"] for entry in found["data"]] == list(range(len(found["data"])))
    assert {entry["object"] for entry in found["data"]} == {"embedding"}
    return found


async def test_by_a_source(person: Person, model: Upstream) -> None:
    found = await embed(person, ["one two", "three"])
    assert [len(entry["embedding"]) for entry in found["data"]] == [8, 8]
    assert found["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert model.stats.bodies[-1]["model"] == "embedder"
    assert (await embed(person, "three"))["data"][0]["embedding"] == found["data"][1]["embedding"]


async def test_dimensions_are_passed_on(person: Person) -> None:
    found = await embed(person, "x", dimensions=3)
    assert len(found["data"][0]["embedding"]) == 3


@pytest.mark.parametrize("name", ["openai/embedder", "all-MiniLM-L6-v2"])
async def test_base64_has_the_same_numbers(person: Person, name: str) -> None:
    floats = (await embed(person, ["a", "b"], name))["data"]
    packed = (await embed(person, ["a", "b"], name, encoding_format="base64"))["data"]
    for plain, coded in zip(floats, packed, strict=True):
        vector = np.frombuffer(base64.b64decode(coded["embedding"]), "<f4")
        assert np.array_equal(vector, np.array(plain["embedding"], np.float32))


async def test_by_the_built_in_embedder(person: Person) -> None:
    for name in ("all-MiniLM-L6-v2", "minilm"):
        found = await embed(person, ["the cat sat", "a dog ran away"], name)
        vectors = np.array([entry["embedding"] for entry in found["data"]])
        assert vectors.shape == (2, 384)
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        assert found["usage"]["prompt_tokens"] == 7


async def test_many_texts_stay_in_order(person: Person, model: Upstream) -> None:
    texts = [f"text {n}" for n in range(300)]
    before = len(model.stats.bodies)
    found = await embed(person, texts)
    assert [len(body["input"]) for body in model.stats.bodies[before:]] == [128, 128, 44]  # type: ignore[arg-type]
    assert found["data"][299]["embedding"] == (await embed(person, "text 299"))["data"][0]["embedding"]


NAMED = {"model": "openai/e"}
BAD: list[tuple[dict[str, object], str]] = [
    (NAMED, "input"),
    ({"input": "x"}, "model"),
    *[
        ({**NAMED, "input": given}, "input")
        for given in ([], "", ["a", ""], {"a": 1}, [1, 2, 3], [[1, 2], [3]], ["a\0b"], ["x"] * 2049)
    ],
    ({**NAMED, "input": [None]}, "input[0]"),
    ({**NAMED, "input": "x", "encoding_format": "int8"}, "encoding_format"),
    ({**NAMED, "input": "x", "dimensions": 0}, "dimensions"),
    ({"input": "x", "dimensions": 5, "model": "minilm"}, "dimensions"),
    ({"input": "x", "model": "passages"}, "model"),
]


@pytest.mark.parametrize(("wrong", "param"), BAD, ids=[str(wrong)[:60] for wrong, _ in BAD])
async def test_a_wrong_parameter_is_named(person: Person, wrong: dict[str, object], param: str) -> None:
    assert refused(await person.http.post(PATH, json=wrong), 400, None)["param"] == param


async def test_a_text_that_is_too_long_is_not_cut(person: Person) -> None:
    answer = await person.http.post(PATH, json={"model": "minilm", "input": ["short", "word " * 300]})
    error = refused(answer, 400, "context_length_exceeded")
    assert error["param"] == "input"
    assert "254" in error["message"]
    assert "300" in error["message"]
