"""Nothing of ours reports to anybody: onnxruntime does by default, unless it is told not to before it is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPENED = """
import os
import app.rag.embedders.{module}
import onnxruntime
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


@pytest.mark.parametrize("module", ["minilm", "bert"])
def test_embedders_silence_onnxruntime_before_they_import_it(module: str, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in {"ORT_DISABLE_TELEMETRY", "CI"}}
    done = subprocess.run(
        [sys.executable, "-c", OPENED.format(module=module)],
        cwd=ROOT,
        env={**env, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"
    assert list(tmp_path.rglob("*")) == []
