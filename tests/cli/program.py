"""`llama-service` and the scripts run as a person runs them, in a folder and with settings of their own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.service import SETTINGS

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


def environment(**settings: str) -> dict[str, str]:
    """Without the settings of whoever runs the tests, without colour, and buffered as programs usually are."""
    kept = {name: value for name, value in os.environ.items() if name not in {*SETTINGS, "PYTHONUNBUFFERED"}}
    return {**kept, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1", **settings}


def run(
    *arguments: str | Path, cwd: Path = ROOT, given: str = "", **settings: str
) -> "subprocess.CompletedProcess[str]":
    """`llama-service ARGUMENTS` with `given` on its standard input."""
    return run_python("-m", "app.cli", *arguments, cwd=cwd, given=given, **settings)


def run_python(
    *arguments: str | Path, cwd: Path = ROOT, given: str = "", **settings: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment(**settings),
        input=given,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
