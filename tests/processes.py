"""Child processes of the tests: each in a group of its own that ends with the tests, also when these are killed."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# Reads until the tests close the pipe or die, then ends the group and removes its folder.
WATCHDOG = 'read _; kill -s "$2" -- "-$1"; sleep 1; kill -s KILL -- "-$1"; [ -z "$3" ] || rm -rf "$3"'


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """A process whose output goes to `log`. `folder` is removed when the tests die before `end()`."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        signal_name: str = "TERM",
        folder: Path | None = None,
    ) -> None:
        self.log = log
        self._signal = getattr(signal, f"SIG{signal_name}")
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                user=user,
                group=user,
                extra_groups=[] if user else None,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", WATCHDOG, "sh", str(self.pid), signal_name, str(folder or "")],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self, timeout_s: float = 30) -> int:
        """Ask it to end, wait, and kill what is left of its group. Returns the exit code."""
        if self.running:
            self.process.send_signal(self._signal)
        try:
            return self.process.wait(timeout_s)
        finally:
            self.kill()

    def kill(self) -> None:
        """Kill the whole group at once."""
        if self._watchdog.poll() is None:
            self._signal_group()
            self.process.wait()
            self._watchdog.kill()
            self._watchdog.wait()
            assert self._watchdog.stdin is not None
            self._watchdog.stdin.close()

    def kill_parent_only(self) -> None:
        """Kill the process and leave its children to notice by themselves."""
        self.process.kill()
        self.process.wait()

    def _signal_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
