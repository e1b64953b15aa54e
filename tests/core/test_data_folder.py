"""One process owns a data folder, and the folder has a name that stays."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.core import data_folder
from app.core.errors import DataFolderInUse, SettingsError

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from app.core import data_folder
with data_folder.owned(Path(sys.argv[1])):
    print("held", flush=True)
    input()
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    """A process that holds the folder until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"
    with data_folder.owned(folder) as given:
        assert given == folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (folder / ".lock").read_text() == str(os.getpid())


def test_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    first = holder(tmp_path)
    with pytest.raises(DataFolderInUse) as error, data_folder.owned(tmp_path):
        pass
    assert str(error.value) == (
        f"Another process (pid {first.pid}) uses the data folder {str(tmp_path)!r}: stop it, or give this one its own "
        "DATA_DIR."
    )
    first.communicate("\n")
    with data_folder.owned(tmp_path):
        pass


def test_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    first = holder(tmp_path)
    first.kill()
    first.communicate()
    with data_folder.owned(tmp_path):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_child_of_a_killed_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    code = HOLD.replace("input()", "import subprocess; subprocess.run(['cat'])")
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout is not None
    assert first.stdin is not None
    assert first.stdout.readline() == "held\n"
    first.kill()
    first.wait()
    with data_folder.owned(tmp_path):
        pass
    first.stdin.close()
    first.stdout.close()


def test_lock_that_a_dead_process_left_behind_is_waited_for(tmp_path: Path) -> None:
    """As when it was killed between the fork and the exec of a child."""
    code = HOLD.replace("input()", "import os, time; os.fork() or time.sleep(0.5)")
    first = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    first.wait()
    with data_folder.owned(tmp_path):
        pass
    first.stdout.close()


def test_folder_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), data_folder.owned(tmp_path):
        raise ZeroDivisionError
    with data_folder.owned(tmp_path):
        pass


@pytest.mark.parametrize("path", ["a-file", "a-file/data", "/proc/nowhere"])
def test_folder_that_cannot_be_used_is_a_sentence(tmp_path: Path, path: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(SettingsError, match=r"DATA_DIR='.*' cannot be used: .*; name a folder this user may write\."):
        data_folder.make(tmp_path / path)
    with pytest.raises(SettingsError, match="DATA_DIR="), data_folder.owned(tmp_path / path):
        pass


def test_name_stays_with_the_folder(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        data_folder.make(folder)
    name = data_folder.replica_name(one)
    assert data_folder.replica_name(one) == name
    assert len(name) == 32
    assert data_folder.replica_name(two) != name


def test_empty_name_is_made_again(tmp_path: Path) -> None:
    """As a process leaves it that dies between making the file and writing it."""
    (tmp_path / "replica").touch()
    name = data_folder.replica_name(tmp_path)
    assert len(name) == 32
    assert data_folder.replica_name(tmp_path) == name
