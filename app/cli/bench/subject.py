"""What is measured: a service on a free port, with a data folder that goes away, and its fake model server."""

import ctypes
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx

from app.cli.bench.load import Address
from app.cli.bench.machine import tree_cpu_s
from app.core.errors import CannotStart
from app.core.settings import GROUPS, environment

SOURCES: Final = Path(__file__).parents[3]
SERVE: Final = (sys.executable, "-m", "app.cli", "serve")
START_TIMEOUT_S: Final = 120.0
END_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.01
IDLE_TIMEOUT_S: Final = 20.0
IDLE_S: Final = 0.5
IDLE_CPU_S: Final = 0.03
PR_SET_PDEATHSIG: Final = 1
LOOPBACK: Final = "127.0.0.1"
PASSWORD: Final = secrets.token_urlsafe(16)  # the same for every start on one data folder


def end_with_parent() -> None:
    """Runs in the child: it is told to end when the benchmark dies, however that dies."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Service:
    """A service in a process of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
        self.process, self._log = process, log
        self.address = Address(LOOPBACK, port)
        self.http = httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=60)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_healthy(self) -> None:
        """Raises CannotStart with what the service said last."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.http.get("/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(POLL_S)
        raise CannotStart(f"The service to measure did not start: {self._log.read_text(errors='replace')[-2000:]}")

    def wait_idle(self) -> None:
        """Until what is done behind the first answers, or after the last, is done."""
        deadline = time.monotonic() + IDLE_TIMEOUT_S
        before = tree_cpu_s(self.pid)
        while time.monotonic() < deadline:
            time.sleep(IDLE_S)
            before, last = tree_cpu_s(self.pid), before
            if before - last < IDLE_CPU_S:
                return

    def sign_in(self) -> None:
        body = {"username": "bench", "password": PASSWORD}
        token = self.http.post("/api/v1/auth/login", json=body).raise_for_status().json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.address = Address(LOOPBACK, self.address.port, token)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="llama-service-bench-", ignore_cleanup_errors=True) as path:
        yield Path(path)


@contextmanager
def service(
    where: Path,
    *,
    upstream_port: int | None = None,
    settings: Mapping[str, str] | None = None,
    command: Sequence[str] = SERVE,
) -> Iterator[Service]:
    """A started service, its settings the defaults but for these; not healthy yet."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = int(probe.getsockname()[1])
    unset = {name.upper(): "" for group in GROUPS for name in group.model_fields}
    given = {
        "HOST": LOOPBACK,
        "PORT": str(port),
        "DATA_DIR": str(where / "data"),
        "ADMIN_USERNAME": "bench",
        "ADMIN_PASSWORD": PASSWORD,
        "JWT_ACCESS_TOKEN_EXPIRE_MINUTES": "600",
        "RATE_LIMIT_ENABLED": "false",
        "HF_HUB_OFFLINE": "true",
        "PYTHONPATH": str(SOURCES),
        **(settings or {}),
    }
    if upstream_port is not None:
        given |= {"OPENAI_BASE_URL": f"http://{LOOPBACK}:{upstream_port}/v1", "OPENAI_MODEL": "bench-n20-d0"}
    log = where / "service.log"
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=where,  # where no .env is
            env=environment(**{**unset, **given}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=end_with_parent,  # noqa: PLW1509
        )
    started = Service(process, port, log)
    try:
        yield started
    finally:
        started.http.close()
        _end(process)


@contextmanager
def under_load() -> Iterator[tuple[Service, int]]:
    """A healthy service that is signed in to, on a folder of its own, and the port of the model server behind it."""
    with folder() as where, upstream() as port, service(where, upstream_port=port) as started:
        started.wait_healthy()
        started.sign_in()
        yield started, port


@contextmanager
def upstream() -> Iterator[int]:
    """The port of a fake model server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli.bench.upstream"],
        env=environment(PYTHONPATH=str(SOURCES)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=end_with_parent,  # noqa: PLW1509
    )
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line:
            raise CannotStart("The fake model server did not start; see above.")
        yield int(line)
    finally:
        _end(process)


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def split(command: str) -> list[str]:
    """A command line as a shell would split it, its program by its full path: the service runs in another folder."""
    program, *arguments = shlex.split(command)
    return [str(Path(program).resolve()) if "/" in program else program, *arguments]


def _end(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    process.terminate()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
