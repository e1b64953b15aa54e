"""The command line from outside."""

import subprocess
import sys
import tomllib

import pytest

from app.cli import COMMANDS
from tests.cli.program import ROOT, run


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in COMMANDS.entries:
        assert f" {command} " in done.stdout


def test_version_is_the_projects_own() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"llama-service {project['version']}\n")


@pytest.mark.parametrize("command", COMMANDS.names())
def test_every_command_explains_itself(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Usage: llama-service {command}" in done.stdout


def test_unknown_command_is_refused_with_the_nearest_one() -> None:
    done = run("srve")
    assert done.returncode == 2
    assert "'serve'" in done.stderr


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("PORT", "99999", "PORT='99999' cannot be used: it must be a port number from 0 to 65535.\n"),
        ("LOG_FORMAT", "loud", "LOG_FORMAT='loud' cannot be used: it must be json or text.\n"),
    ],
)
def test_bad_setting_stops_the_start_with_one_sentence(setting: str, value: str, sentence: str) -> None:
    done = run("serve", **{setting: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


LOADED = """
import sys
from app.cli import main
sys.argv[1:] = ["serve", "--help"]
try:
    main()
except SystemExit:
    print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def test_only_the_module_of_the_command_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=False)
    loaded = set(done.stderr.splitlines())
    assert "app.cli.serve" in loaded
    assert not loaded & {"sqlalchemy", "fastapi", "chromadb", "dbos", "openai", "numpy"}
