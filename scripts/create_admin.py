#!/usr/bin/env python3
"""Make an administrator of the service in this folder: `llama-service admin create` with any Python."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"

if __name__ == "__main__":
    os.chdir(ROOT)  # where `scripts/run` has .env and the data folder
    python = str(PYTHON) if PYTHON.exists() else sys.executable
    os.execv(python, [python, "-m", "app.cli", "admin", "create", *sys.argv[1:]])  # noqa: S606
