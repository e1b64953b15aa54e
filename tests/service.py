"""The service as a process of its own, with a data folder and a port of its own."""

import os
import sys
import time
from pathlib import Path

import httpx

from app.core.settings import GROUPS
from tests.processes import Child, free_port

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 60
ADMIN_PASSWORD = "a password for tests"
SETTINGS = {name.upper() for group in GROUPS for name in group.model_fields}


class Service:
    """Started on construction and healthy afterwards. `env` are settings that differ from the defaults for tests."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder = folder
        self.data_dir = Path(env.get("DATA_DIR", folder / "data"))
        self.port = int(env.get("PORT") or free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **{name: value for name, value in os.environ.items() if name not in SETTINGS},
            "PYTHONPATH": str(ROOT),
            "HOST": "127.0.0.1",
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "RATE_LIMIT_ENABLED": "false",
            "HF_HUB_OFFLINE": "true",
            **env,
            "DATA_DIR": str(self.data_dir),
            "PORT": str(self.port),
        }
        self.start()

    def start(self, **env: str) -> None:
        """Start, or start again on the same folder and port, and wait for the first healthy answer."""
        self.child = Child(
            [sys.executable, "-m", "app.cli", "serve"],
            log=self.folder / "service.log",
            env={**self._env, **env},
            cwd=self.folder,
        )
        try:
            wait_healthy(self.url, self.child)
        except BaseException:
            self.child.kill()
            raise

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        return self.child.end()

    def kill(self) -> None:
        """Kill the service and all its children at once."""
        self.child.kill()

    def log(self) -> str:
        return self.child.text()

    def client(self, **options: object) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, timeout=30, **options)  # type: ignore[arg-type]


def wait_healthy(url: str, child: Child) -> None:
    """Return after the first healthy answer; raise with the log when there is none."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and child.running:
        try:
            if httpx.get(f"{url}/health", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise RuntimeError(f"the service did not start:\n{child.text()}")
