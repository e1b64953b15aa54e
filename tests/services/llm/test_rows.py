"""config/models.yaml: what is read, and for what is wrong the file, the line and the way out."""

from pathlib import Path

import pytest

from app.core.errors import SettingsError
from app.core.settings import Settings
from app.services.llm.base import TokenUsage
from app.services.llm.configured import build_pool
from app.services.llm.rows import Row, load_rows

GOOD = """
sources:
  - name: vllm
    base_urls: [http://gpu1:8000/v1/, "http://gpu2:8000/v1"]
    api_key_env: VLLM_KEY
    context_tokens: 9000
    models:
      - name: bge-m3
        kind: embedding
      - name: qwen
        context_tokens: 16384
        prompt_price: 0.5
        completion_price: 2
    max_concurrent: 3
    first_token_timeout_s: 7
    fallback: [passages]
  - name: other
    base_urls: [http://h/v1]
"""


def rows(tmp_path: Path, text: str) -> list[Row]:
    path = tmp_path / "models.yaml"
    path.write_text(text)
    return load_rows(path, {"VLLM_KEY": "k"})


def test_what_is_read(tmp_path: Path) -> None:
    vllm, other = rows(tmp_path, GOOD)
    assert vllm.base_urls == ["http://gpu1:8000/v1", "http://gpu2:8000/v1"]
    assert vllm.key is not None
    assert vllm.key.get_secret_value() == "k"
    assert (vllm.first_of, other.models, other.key) == ({"chat": "qwen", "embedding": "bge-m3"}, [], None)
    assert "'k'" not in repr(vllm)


@pytest.mark.parametrize("text", ["", "# nothing\n", "sources: []\n", "sources:\n"])
def test_no_rows(tmp_path: Path, text: str) -> None:
    if text == "sources:\n":
        with pytest.raises(SettingsError, match=r"models\.yaml:1: sources"):
            rows(tmp_path, text)
    else:
        assert rows(tmp_path, text) == []


def test_no_file(tmp_path: Path) -> None:
    assert load_rows(tmp_path / "nothing.yaml", {}) == []


A = "sources:\n  - name: a\n    base_urls: [http://h]\n"
BAD = {
    "sources:\n  - name: a\n    base_urls: [http://h/v1]\n    colour: red\n": r":4: sources\.0\.colour: .*known: name",
    "sources:\n  - name: a\n\n    base_urls: [gpu1]\n": r":4: sources\.0\.base_urls\.0: .*not an HTTP URL",
    "sources:\n  - name: a b\n    base_urls: [http://h/v1]\n": r":2: sources\.0\.name",
    "sources:\n  - base_urls: [http://h/v1]\n": r":2: sources\.0\.name: Field required",
    "sources:\n  - name: a\n": r":2: sources\.0\.base_urls: Field required",
    "sources:\n  - name: openai\n    base_urls: [http://h/v1]\n": r":2: the name 'openai' belongs to a built-in",
    A + "  - name: a\n    base_urls: [http://h]\n": r":4: .*'a' is given twice",
    A + "    fallback: [passages, b/x]\n": r":4: fallback: .*'b/x'; known: a,",
    A + "    api_key_env: NO_SUCH\n": r":4: the environment has no variable 'NO_SUCH'",
    "sources:\n  - name: a\n   base_urls: []\n": r":3: it is not YAML",
    "sources: {a: 1}\n": r":1: sources",
    "- a\n": r":1: the file",
    A + "    models:\n      - name: m\n        prompt_price: -1\n": r":6: ",
    A + "    models:\n      - {name: m, kind: picture}\n": r":5: .*kind",
}


@pytest.mark.parametrize("number", range(len(BAD)))
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, number: int) -> None:
    text, said = list(BAD.items())[number]
    with pytest.raises(SettingsError, match=r"models\.yaml" + said):
        rows(tmp_path, text)


def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.load(tmp_path / ".env")


async def test_a_row_becomes_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.yaml").write_text(GOOD)
    (tmp_path / ".env").write_text("VLLM_KEY=from-the-file\n")
    pool = build_pool(settings(tmp_path, monkeypatch, MODELS_CONFIG=str(tmp_path / "models.yaml")))
    source = pool.get("vllm")
    assert (source.default_model, await source.context_tokens(None), await source.context_tokens("x")) == (
        "qwen",
        16384,
        9000,
    )
    assert [a.label for a in source.addresses] == ["http://gpu1:8000/v1", "http://gpu2:8000/v1"]
    assert source.cost("qwen", TokenUsage(1_000_000, 500_000)) == 1.5
    assert source.cost("bge-m3", TokenUsage(1, 1)) is None
    assert (source.terms.max_concurrent, source.terms.deadlines.first_token_s, source.terms.fallback) == (
        3,
        7,
        ("passages",),
    )
    assert pool.default.name == "vllm"
    assert pool.get("other").terms.max_concurrent == 2048
    await pool.aclose()


async def test_which_source_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build_pool(settings(tmp_path, monkeypatch)).default.name == "passages"
    assert build_pool(settings(tmp_path, monkeypatch, OLLAMA_CHAT_MODEL="x")).default.name == "ollama"
    hub = {"AIHUB_URL": "http://h/v1", "AIHUB_KEYCLOAK_HOST": "http://k", "AIHUB_CLIENT_SECRET": "s"}
    both = settings(tmp_path, monkeypatch, OPENAI_BASE_URL="http://a/v1,http://b/v1", **hub)
    pool = build_pool(both)
    assert (pool.default.name, len(pool.default.addresses)) == ("openai", 2)
    assert pool.names == ["openai", "local", "ollama", "aihub", "passages"]
    assert build_pool(settings(tmp_path, monkeypatch, DEFAULT_MODEL_SOURCE="aihub")).default.name == "aihub"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"DEFAULT_MODEL_SOURCE": "openai"}, "'openai'.*not configured; set OPENAI_API_KEY"),
        ({"DEFAULT_MODEL_SOURCE": "gpu"}, "'gpu'.*known ones are local, ollama, passages"),
        ({"FALLBACK_MODEL_SOURCES": "passages,gpu/x"}, "FALLBACK_MODEL_SOURCES='gpu'"),
        ({"AIHUB_URL": "http://h/v1"}, "AIHUB_KEYCLOAK_HOST is missing"),
        ({"AIHUB_KEYCLOAK_HOST": "http://h"}, "AIHUB_URL is missing"),
        ({"AIHUB_URL": "http://h", "AIHUB_KEYCLOAK_HOST": "http://h"}, "AIHUB_USERNAME"),
        ({"MODELS_CONFIG": "/no/such.yaml"}, "there is no such file"),
    ],
)
def test_what_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        build_pool(settings(tmp_path, monkeypatch, **variables))


def test_the_shipped_file_has_no_rows_but_its_example_is_good(tmp_path: Path) -> None:
    shipped = (Path(__file__).parents[3] / "config" / "models.yaml").read_text()
    assert rows(tmp_path, shipped) == []
    example = "\n".join(line[2:] for line in shipped.split("#\n", 1)[1].splitlines())
    path = tmp_path / "example.yaml"
    path.write_text(example)
    names = [row.name for row in load_rows(path, {"VLLM_API_KEY": "k", "OPENROUTER_API_KEY": "k"})]
    assert names == ["vllm", "openrouter", "lmstudio"]
