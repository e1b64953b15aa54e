"""Every setting from `.env` or the environment: defaults, what is accepted, and one sentence for what is not."""

import os
from pathlib import Path

import pytest

from app.core.errors import SettingsError
from app.core.setting_types import MIN_SECRET_CHARS
from app.core.settings import GROUPS, Settings, environment
from tests.service import SETTINGS

FIELDS = {name.upper(): field for group in GROUPS for name, field in group.model_fields.items()}
SECRET = "f3Jq9vXz0LmT7wBc2YhNs5RkPd8Ga1Ue"
# Text that only its user can judge.
FREE = {
    "LOCAL_MODEL_PATH",
    "HOST",
    "DATA_DIR",
    "VECTORDB_PATH",
    "TRUSTED_PROXIES",
    "DEFAULT_MODEL_SOURCE",
    "FALLBACK_MODEL_SOURCES",
    "LOCAL_MODEL",
    "MODELS_CONFIG",
    "OPENAI_API_KEY",
    "OPENAI_MODEL",
    "OPENAI_EMBED_MODEL",
    "EMBEDDING_SOURCE",
    "EMBEDDING_MODEL",
    "OLLAMA_CHAT_MODEL",
    "OLLAMA_EMBED_MODEL",
    "AIHUB_REALM",
    "AIHUB_USERNAME",
    "AIHUB_PASSWORD",
    "AIHUB_CLIENT_ID",
    "AIHUB_CLIENT_SECRET",
    "AIHUB_MODEL",
    "AIHUB_EMBED_MODEL",
}
BAD = {
    "PORT": ["", "http", "-1", "65536", "80.5", "１２３"],
    "ALLOWED_ORIGINS": [
        "*",
        "example.org",
        "https://a.example/",
        "https://a.example#x",
        "ftp://a",
    ],
    "LOG_LEVEL": ["verbose", "0"],
    "LOG_FORMAT": ["xml"],
    "SHUTDOWN_TIMEOUT_S": ["0", "-1", "soon", "nan", "inf", "100000"],
    "DATABASE_URL": [
        *("mysql://h/d", "postgresql", "postgresql+psycopg://h/d", "postgresql://h:port/d", "postgresql://h:0/d"),
        *("sqlite://", "sqlite:///", "sqlite:///:memory:", "rows.db"),
    ],
    "ALEMBIC_DATABASE_URL": ["mysql://h/d", "postgresql://u@h:99999/d"],
    "COLLECTION_NAME": ["x", "-x", "a b", "ä" * 5, "x" * 42],
    "STORAGE_QUOTA_MB": ["0", "-5", "much"],
    "JWT_SECRET_KEY": [
        *("short", "x" * 31, "x" * 64, "abc" * 20, "your-secret-key-change-me-in-production"),
        *("My_Super_Secret_JWT_Key_0123456789", "please CHANGE this key: 0123456789abcdef"),
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
    "JWT_ALGORITHM": ["none", "RS256", "hs256"],
    "JWT_ACCESS_TOKEN_EXPIRE_MINUTES": ["0", "1441", "1.5", "an hour"],
    "REFRESH_TOKEN_EXPIRE_DAYS": ["0", "366"],
    "REGISTRATION": ["yes", "OPEN!"],
    "ADMIN_USERNAME": ["a b", "ann@example.org", "x" * 65, "ä"],
    "ADMIN_PASSWORD": ["short", "x" * 257],
    "RATE_LIMIT_ENABLED": ["maybe", "2"],
    "OPENAI_BASE_URL": ["localhost:8080", "ftp://h/v1", "http://", "http://h:99999/v1", "http://[", "http://h:x/v1"],
    "OPENAI_CONTEXT_TOKENS": ["255", "many"],
    "EMBEDDING_MAX_TOKENS": ["63", "32769", "many"],
    "MAX_CONCURRENT_ANSWERS": ["0", "many"],
    "MAX_WAITING_ANSWERS": ["-1", "100001"],
    "LOCAL_CONTEXT_TOKENS": ["255", "many"],
    "LOCAL_PARALLEL": ["0", "65"],
    "LOCAL_THREADS": ["0", "all"],
    "LOCAL_GPU_LAYERS": ["-2", "all"],
    "LOCAL_MEMORY_MB": ["63", "much"],
    "LOCAL_IDLE_UNLOAD_S": ["-1", "never"],
    "LOCAL_LOAD_AT_START": ["maybe"],
    "MAX_OPENAI_BODY_MB": ["0", "1025", "much"],
    "EMBEDDINGS_BASEURL": ["localhost:11434", "ftp://h", "http://h:x"],
    "OLLAMA_CONTEXT_TOKENS": ["255"],
    "AIHUB_URL": ["hub", "http://"],
    "AIHUB_KEYCLOAK_HOST": ["keycloak"],
    "AIHUB_VERIFY_SSL": ["maybe"],
    "AIHUB_CONTEXT_TOKENS": ["0"],
    "FIRST_TOKEN_TIMEOUT_S": ["0", "nan"],
    "IDLE_TIMEOUT_S": ["-3", "inf"],
    "TOTAL_TIMEOUT_S": ["0", "never"],
    "HF_ENDPOINT": ["huggingface.co", "ftp://hub", "http://:80"],
    "HF_TOKEN": ["two words", "naïve"],
    "HF_HUB_OFFLINE": ["maybe"],
    "MODEL_CACHE_MB": ["-1", "100000001", "1GB"],
    "PULL_STALL_TIMEOUT_S": ["0", "86401"],
    "MAX_MESSAGE_CHARS": ["0", "10000001"],
    "MAX_FILESIZE_MB": ["0", "10001", "50MB"],
    "CHUNK_SIZE": ["99", "8001"],
    "CHUNK_OVERLAP": ["-1", "1000", "4001"],
    "PARSE_CPU_S": ["0"],
    "PARSE_MEMORY_MB": ["255", "65537"],
    "PARSE_WALL_S": ["0"],
    "URL_TIMEOUT_S": ["0"],
    "URL_ALLOWED_NETWORKS": ["10.1.0.0/33", "intranet", "10.1.0.1/16"],
    "OCR_LANGUAGES": ["eng deu", "-l", "eng+", "+", "eng+-c", "x" * 101],
    "OCR_PAGE_S": ["0", "long"],
    "OCR_TOTAL_S": ["-1", "nan"],
    "REINDEX": ["never", "AUTO!"],
    "EMBEDDING_WAIT_S": ["0", "a while"],
}


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper() in SETTINGS:
            monkeypatch.delenv(name)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def load(env_file: Path, **values: str) -> Settings:
    env_file.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    return Settings.load(env_file)


def refusal(env_file: Path, **values: str) -> str:
    with pytest.raises(SettingsError) as error:
        load(env_file, **values)
    assert error.value.__cause__ is None
    return str(error.value)


def test_every_setting_is_judged_or_free() -> None:
    assert set(BAD) | FREE == set(FIELDS)
    assert not set(BAD) & FREE


@pytest.mark.parametrize("name", BAD)
def test_bad_value_is_one_sentence_with_name_value_and_what_is_allowed(env_file: Path, name: str) -> None:
    hidden = {"JWT_SECRET_KEY", "ADMIN_PASSWORD", "HF_TOKEN"}
    for value in filter(None, BAD[name]):
        said = refusal(env_file, **{name: value})
        assert said.startswith(f"{name}=")
        assert said.endswith(f" cannot be used: it must be {FIELDS[name].description}.")
        assert "\n" not in said
        assert (value in said) == (name not in hidden), said


@pytest.mark.parametrize("name", sorted(FREE))
def test_free_text_is_taken_as_it_is(env_file: Path, name: str) -> None:
    load(env_file, **{name: "anything at all"})


def test_one_bad_origin_among_good_ones_is_named(env_file: Path) -> None:
    assert refusal(env_file, ALLOWED_ORIGINS="https://a.example,nonsense").startswith(
        "ALLOWED_ORIGINS='nonsense' cannot"
    )


def test_password_in_a_bad_address_is_hidden(env_file: Path) -> None:
    said = refusal(env_file, DATABASE_URL="mysql://ann:p@ss/w:rd@db.example:3306/rows")
    assert "p@ss" not in said
    assert "w:rd" not in said
    assert "mysql://ann:(hidden)@db.example:3306/rows" in said


def test_overlap_must_be_less_than_the_size(env_file: Path) -> None:
    assert "CHUNK_OVERLAP='500'" in refusal(env_file, CHUNK_SIZE="500", CHUNK_OVERLAP="500")
    assert "CHUNK_OVERLAP=200" in refusal(env_file, CHUNK_SIZE="150")
    assert load(env_file, CHUNK_SIZE="500", CHUNK_OVERLAP="499").documents.chunk_overlap == 499


def test_empty_values_are_the_defaults(env_file: Path) -> None:
    assert load(env_file, **dict.fromkeys(FIELDS, "")) == Settings.load(None)


def test_environment_wins_over_the_file(env_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9001")
    settings = load(env_file, PORT="9002", HOST="0.0.0.0")
    assert (settings.server.port, settings.server.host) == (9001, "0.0.0.0")


def test_other_lines_of_the_file_do_not_matter(env_file: Path) -> None:
    assert load(env_file, SOMETHING_ELSE="x") == Settings.load(None)


@pytest.mark.parametrize("content", [b"PORT=\xff\xfe", "PORT=1".encode("utf-16")])
def test_file_that_is_no_text_is_a_sentence(env_file: Path, content: bytes) -> None:
    env_file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"\.env' cannot be read as UTF-8 text"):
        Settings.load(env_file)


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql+asyncpg://u:p@h:5432/d"),
        ("postgresql+asyncpg://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgres://h/d", "postgresql+asyncpg://h/d"),
        ("postgresql://[::1]:5432/d", "postgresql+asyncpg://[::1]:5432/d"),
        ("postgresql://[::1]/d", "postgresql+asyncpg://[::1]/d"),
        ("postgresql://u:p@:x/@h/d", "postgresql+asyncpg://u:p@:x/@h/d"),
        ("postgresql://h/d?sslmode=require&x=1", "postgresql+asyncpg://h/d?ssl=require&x=1"),
        ("sqlite:///rows.db", "sqlite+aiosqlite:///rows.db"),
        ("sqlite:////var/lib/rows.db", "sqlite+aiosqlite:////var/lib/rows.db"),
        ("sqlite+aiosqlite:///rows.db", "sqlite+aiosqlite:///rows.db"),
    ],
)
def test_both_database_settings_take_every_spelling(env_file: Path, given: str, used: str) -> None:
    storage = load(env_file, DATABASE_URL=given, ALEMBIC_DATABASE_URL=given).storage
    assert (storage.rows_url, storage.migration_url) == (used, used)


def test_databases_are_derived(env_file: Path) -> None:
    storage = load(env_file, DATA_DIR="/srv/data").storage
    assert storage.rows_url == storage.migration_url == "sqlite+aiosqlite:////srv/data/rows.db"
    assert storage.vectors_dir == Path("/srv/data/vectors")
    storage = load(env_file, DATABASE_URL="postgresql://h/d", VECTORDB_PATH="/v").storage
    assert storage.migration_url == "postgresql+asyncpg://h/d"
    assert storage.vectors_dir == Path("/v")


@pytest.mark.parametrize("secret", [SECRET, "0123456789abcdef" * 4, "correct horse battery staple and more"])
def test_long_secret_is_accepted_and_never_shown(env_file: Path, secret: str) -> None:
    settings = load(env_file, JWT_SECRET_KEY=secret)
    assert settings.auth.jwt_secret_key is not None
    assert settings.auth.jwt_secret_key.get_secret_value() == secret
    assert secret not in repr(settings)
    assert len(secret) >= MIN_SECRET_CHARS


def test_lists_words_and_switches(env_file: Path) -> None:
    server = load(env_file, ALLOWED_ORIGINS=" https://A.example , http://localhost:5173,", LOG_LEVEL="debug").server
    assert server.allowed_origins == ["https://a.example", "http://localhost:5173"]
    assert server.log_level == "DEBUG"
    assert load(env_file, TRUSTED_PROXIES="10.0.0.1,10.0.0.2").server.trusted_proxies == ["10.0.0.1", "10.0.0.2"]
    assert load(env_file, OPENAI_BASE_URL="http://localhost:8080/v1/").llm.openai_base_url == [
        "http://localhost:8080/v1"
    ]
    for word, value in (("true", True), ("0", False), ("no", False), ("ON", True)):
        assert load(env_file, RATE_LIMIT_ENABLED=word).auth.rate_limit_enabled is value


def test_settings_cannot_be_changed(env_file: Path) -> None:
    settings = load(env_file)
    with pytest.raises(AttributeError):
        settings.server = settings.server  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        settings.server.port = 1


def test_child_gets_the_environment_with_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "1")
    child = environment(PORT="9")
    assert (child["KEPT"], child["PORT"]) == ("1", "9")
    assert "PORT" not in os.environ
