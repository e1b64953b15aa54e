"""Tiny models in a folder that all tests of this run share."""

from pathlib import Path

import pytest

from tests import tiny_gguf


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `chat`, `tools`, `embedding` and `rerank`."""
    folder = tmp_path_factory.mktemp("models")
    tiny_gguf.chat(folder / "chat.gguf")
    tiny_gguf.chat(folder / "tools.gguf", template=tiny_gguf.TOOLS)
    tiny_gguf.embedding(folder / "embedding.gguf")
    tiny_gguf.rerank(folder / "rerank.gguf")
    return folder
