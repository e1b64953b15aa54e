"""What the tests start ends with them, also when they are killed."""

import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.processes import Child

ROOT = Path(__file__).parents[1]
KILLED = """
import sys, time
from tests.postgres import server
with server() as postgres:
    print(postgres.port, flush=True)
    time.sleep(600)
"""


def command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:  # one of the server's, which come and go
        return []


def gone(pids: list[int], timeout_s: float = 20) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def test_database_server_ends_with_killed_tests() -> None:
    tests = subprocess.Popen([sys.executable, "-c", KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    with tests.stdout:
        port = int(tests.stdout.readline())
    family = psutil.Process(tests.pid).children(recursive=True)
    folder = next(Path(process.cwd()) for process in family if str(port) in command(process))
    tests.kill()
    tests.wait()
    assert gone([process.pid for process in family])
    assert not folder.exists()


def test_children_of_a_child_end_with_it(tmp_path: Path) -> None:
    child = Child(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], log=tmp_path / "log")
    while not child.text():
        time.sleep(0.01)
    child.end()
    assert gone([int(child.text()), child.pid])
