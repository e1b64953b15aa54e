"""Which model a name means, and what is said of files that cannot be used."""

from pathlib import Path

import pytest

from app.core.errors import ModelUnavailable, UnknownName, ValidationFailed
from app.core.model_settings import LocalSettings
from app.services.llm.base import Generation, Options
from app.services.llm.providers.gguf import GGUF
from tests import tiny_gguf
from tests.services.llm.local_models import HELLO, answer, opened


def hello(model: str | None = None) -> Generation:
    return Generation(HELLO, model=model, options=Options(max_tokens=1))


async def states(local: GGUF) -> dict[str, str]:
    return {state.name: state.state for state in await local.states()}


async def test_damaged_file_says_what_is_wrong_without_a_process(tiny_models: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes((tiny_models / "chat.gguf").read_bytes()[:-4096])
    async with opened(path) as local:
        with pytest.raises(ModelUnavailable, match=r"cut.gguf' cannot be loaded: it is incomplete: .* fetch it again"):
            await answer(local, hello())
        (state,) = await local.states()
        assert (state.name, state.state, "incomplete" in (state.error or "")) == ("cut", "failed", True)
        assert [(model.name, model.kind) for model in await local.models()] == [("cut", None)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"blk.1.ffn_up.weight", b"blk.1.ffn_xx.weight", "tensor 'blk.1.ffn_up.weight' not found"),
        (b"tokenizer.ggml.model", b"tokenizer.ggml.mudel", "tokenizer.ggml.model"),
    ],
    ids=["tensor", "tokenizer"],
)
async def test_file_that_llama_cpp_refuses_says_why(
    tiny_models: Path, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes((tiny_models / "chat.gguf").read_bytes().replace(old, new))
    async with opened(path) as local:
        with pytest.raises(ModelUnavailable, match=said):
            await answer(local, hello())


async def test_unknown_architecture_is_named(tmp_path: Path) -> None:
    path = tiny_gguf.chat(tmp_path / "m.gguf")
    path.write_bytes(path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0zlama", 1))
    async with opened(path) as local:
        with pytest.raises(ModelUnavailable, match=r"unknown model architecture: 'zlama'.*that llama.cpp knows"):
            await answer(local, hello())


async def test_missing_path_says_what_to_do(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "none"):
        async with opened(where) as local:
            if where == tmp_path:
                with pytest.raises(ModelUnavailable, match="models pull"):
                    await local.models()
            else:
                assert (await local.models())[0].kind is None
            with pytest.raises(ModelUnavailable, match=r"models pull|No such file"):
                await answer(local, hello())


async def test_preferred_model_answers_and_must_be_there(tiny_models: Path) -> None:
    async with opened(tiny_models, local_model="tools") as local:
        assert local.default_model == "tools"
        await answer(local, hello())
        assert (await states(local))["tools"] == "loaded"
    async with opened(tiny_models, local_model="tolls") as local:
        with pytest.raises(UnknownName, match="unknown LOCAL_MODEL 'tolls'; known: tools"):
            await answer(local, hello())
    async with opened(tiny_models, local_model="rerank") as local:
        with pytest.raises(ValidationFailed, match="'rerank' is a reranking model"):
            await answer(local, hello())


async def test_names_come_from_whoever_keeps_the_files(tiny_models: Path) -> None:
    files = {"team/small": tiny_models / "chat.gguf"}
    provider = GGUF("local", LocalSettings(local_threads=1), where=tiny_models, files=lambda: files)
    await answer(provider, hello("team/small"))
    assert await states(provider) == {"team/small": "loaded"}
    await provider.aclose()
