"""config/.env.example names every setting once, says what it is for, and shows the default."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.core.settings import GROUPS, Settings
from tests.service import SETTINGS

EXAMPLE = Path(__file__).parents[2] / "config" / ".env.example"
LINES = EXAMPLE.read_text().splitlines()
SHOWN = {match[1]: match[2] for line in LINES if (match := re.fullmatch(r"#([A-Z_]+)=(.*)", line))}


def default(name: str) -> str:
    field = next(group.model_fields[name] for group in GROUPS if name in group.model_fields)
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_stands_there_once_and_nothing_else() -> None:
    assert sorted(line.partition("=")[0] for line in LINES if re.match(r"#[A-Z_]+=", line)) == [
        f"#{name}" for name in sorted(SETTINGS)
    ]


def test_defaults_are_the_real_ones() -> None:
    assert {name.upper(): default(name.lower()) for name in SHOWN} == SHOWN


def test_every_setting_has_a_line_that_explains_it() -> None:
    for line, before in zip(LINES[1:], LINES, strict=False):
        if re.match(r"#[A-Z_]+=", line):
            assert re.match(r"# \S.*\.$", before), line


def test_file_with_every_line_in_use_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    env_file = tmp_path / ".env"
    env_file.write_text("".join(f"{name}={value}\n" for name, value in SHOWN.items()))
    assert Settings.load(env_file) == Settings.load(None)
