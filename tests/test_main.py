"""A start that is refused: one sentence that says why, no traceback, an exit code, by every way to start."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app.core import data_folder
from app.core.errors import CannotStart
from app.core.settings import Settings
from app.main import Lifespan
from tests.service import ROOT, SETTINGS

WAYS = {
    "llama-service": ["-m", "app.cli", "serve"],
    "uvicorn": ["-m", "uvicorn", "app.main:app", "--port", "0"],
}
SECRET = "f3Jq9vXz0LmT7wBc2YhNs5RkPd8Ga1Ue"


def refusal(way: str, folder: Path, **settings: str) -> str:
    """What a start with these settings prints, without what the log says about other things."""
    env = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    defaults = {"PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data"), "PORT": "0", "ADMIN_PASSWORD": "x" * 12}
    ended = subprocess.run(
        [sys.executable, *WAYS[way]],
        cwd=folder,
        env={**env, **defaults, **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode not in {0, -6, -9, -11}, ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr
    assert SECRET not in ended.stderr
    return "\n".join(map(_message, ended.stderr.splitlines()))


def _message(line: str) -> str:
    return str(json.loads(line)["message"]) if line.startswith("{") else line


@pytest.mark.parametrize("way", WAYS)
def test_bad_setting(tmp_path: Path, way: str) -> None:
    said = refusal(way, tmp_path, JWT_SECRET_KEY=SECRET, MAX_FILESIZE_MB="fifty")
    expected = "MAX_FILESIZE_MB='fifty' cannot be used: it must be a whole number of megabytes from 1 to 10000."
    assert said == expected
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("way", WAYS)
def test_known_secret(tmp_path: Path, way: str) -> None:
    said = refusal(way, tmp_path, JWT_SECRET_KEY="your-secret-key-change-in-production")
    assert said.startswith("JWT_SECRET_KEY=(hidden) cannot be used: it must be a random text of at least 32 characters")


def test_bad_line_of_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REGISTRATION=perhaps\n")
    said = refusal("uvicorn", tmp_path)
    assert said == "REGISTRATION='perhaps' cannot be used: it must be open or closed."


@pytest.mark.parametrize("way", WAYS)
def test_second_process_on_one_data_folder(tmp_path: Path, way: str) -> None:
    with data_folder.owned(tmp_path / "data") as folder:
        said = refusal(way, tmp_path)
    assert f"Another process (pid {os.getpid()}) uses the data folder {str(folder)!r}: stop it, or give this" in said
    assert {path.name for path in folder.iterdir()} == {".lock"}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"DATABASE_URL": "postgresql://127.0.0.1:1/rows?colour=blue"}, "colour"),
        ({"DATABASE_URL": "sqlite:////proc/nowhere/rows.db"}, "/proc/nowhere/rows.db' cannot be used: "),
        ({"DATABASE_URL": "sqlite:////etc/hostname"}, "/etc/hostname' cannot be used: file is not a database"),
        ({"ALEMBIC_DATABASE_URL": "postgresql://127.0.0.1:1/rows"}, "127.0.0.1:1/rows' cannot be used: "),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR='/proc/nowhere' cannot be used: "),
        ({"DATA_DIR": "/etc/hostname"}, "DATA_DIR='/etc/hostname' cannot be used: "),
        (
            {"EMBEDDING_SOURCE": "oracle", "OPENAI_API_KEY": "x", "EMBEDDING_MODEL": "m"},
            "EMBEDDING_SOURCE='oracle' cannot be used: the known ones are ",
        ),
        ({"EMBEDDING_SOURCE": "passages"}, "EMBEDDING_SOURCE='passages' cannot be used: the known ones are "),
        (
            {"EMBEDDING_SOURCE": "openai"},
            "cannot be used: it is not configured; set OPENAI_API_KEY, or OPENAI_BASE_URL",
        ),
        (
            {"EMBEDDING_SOURCE": "openai", "OPENAI_API_KEY": "x"},
            "EMBEDDING_MODEL is missing: 'openai' has no embedding",
        ),
        ({"EMBEDDING_MODEL": "m"}, "EMBEDDING_MODEL='m' cannot be used without EMBEDDING_SOURCE"),
        ({"DEFAULT_MODEL_SOURCE": "oracle"}, "DEFAULT_MODEL_SOURCE='oracle' cannot be used: the known ones are "),
    ],
    ids=str,
)
async def test_what_only_the_start_can_find_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], sentence: str
) -> None:
    """By every way to start it is said as above."""
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"DATA_DIR": str(tmp_path / "data")} | settings).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart) as refused:
        async with Lifespan(Settings.load(env_file=None))():
            pass
    assert sentence in str(refused.value)


def test_password_of_a_database_is_hidden(tmp_path: Path) -> None:
    said = refusal("llama-service", tmp_path, DATABASE_URL="postgresql://ann:pass@127.0.0.1:1/rows")
    assert "ann:(hidden)@127.0.0.1:1/rows' cannot be used: " in said


def test_broken_signing_key(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "jwt.key").write_text("short")
    assert "jwt.key' has only 5 characters: delete the file" in refusal("llama-service", tmp_path)


def test_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refusal("llama-service", tmp_path, PORT=str(taken.getsockname()[1]))
    assert "address already in use" in said
