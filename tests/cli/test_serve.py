"""The service as a process: it starts, says what it does in its log, refuses in one sentence, and ends when told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from tests.conftest import Serve
from tests.processes import Child, free_port
from tests.service import ADMIN_PASSWORD, ROOT, Service, wait_healthy


def test_healthy_answer_with_the_request_id_that_was_given(serve: Serve) -> None:
    service = serve()
    response = httpx.get(f"{service.url}/health", headers={"X-Request-ID": "from-outside"})
    assert response.json()["status"] == "healthy"
    assert response.headers["X-Request-ID"] == "from-outside"
    assert "server" not in response.headers


def test_log_is_json_lines_without_the_password(serve: Serve) -> None:
    service = serve()
    httpx.get(f"{service.url}/nothing/here?q=private", headers={"X-Request-ID": "r1"})
    assert service.stop() == 0
    lines = [json.loads(line) for line in service.log().splitlines() if line.startswith("{")]
    seen = [line for line in lines if line["request_id"] == "r1"]
    assert [(line["message"], line["status"]) for line in seen] == [("GET /nothing/here", 404)]
    assert ADMIN_PASSWORD not in service.log()


def test_sigterm_ends_all_of_it(serve: Serve) -> None:
    service = serve()
    group = os.getpgid(service.child.pid)
    assert service.stop() == 0
    left = subprocess.run(["ps", "-o", "pid=", "-g", str(group)], capture_output=True, text=True, check=False)
    assert left.stdout.split() == []


def test_second_process_on_one_data_folder_is_refused(serve: Serve, tmp_path: Path) -> None:
    first = serve()
    second = Child(
        [sys.executable, "-m", "app.cli", "serve"],
        log=tmp_path / "second.log",
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(first.data_dir), "PORT": str(free_port())},
        cwd=tmp_path,
    )
    assert second.process.wait(60) != 0
    second.kill()
    said = [line for line in second.text().splitlines() if "data folder" in line]
    assert len(said) == 1
    assert str(first.child.pid) in said[0]
    assert "Traceback" not in second.text()
    assert httpx.get(f"{first.url}/health").status_code == 200


def test_second_start_keeps_what_the_first_one_made(serve: Serve) -> None:
    service: Service = serve()
    credentials = {"username": "admin", "password": ADMIN_PASSWORD}
    token = httpx.post(f"{service.url}/api/v1/auth/login", json=credentials).json()["access_token"]
    service.kill()
    service.start()
    answer = httpx.get(f"{service.url}/api/v1/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["username"]) == (200, "admin")


def test_ready_names_every_port(serve: Serve) -> None:
    ports = httpx.get(f"{serve().url}/ready").json()["ports"]
    expected = {"rows", "vectors", "text_index", "token_log", "jobs", "files", "embeddings", "chat_model"}
    assert set(ports) == expected


def test_metrics_count_this_request(serve: Serve) -> None:
    service = serve()
    httpx.get(f"{service.url}/health")
    text = httpx.get(f"{service.url}/metrics").text
    assert 'llama_requests_total{method="GET",route="/health",status="200"}' in text
    assert "llama_process_tree_resident_bytes" in text


def test_uvicorn_serves_it_too(tmp_path: Path) -> None:
    port = free_port()
    child = Child(
        [sys.executable, "-m", "uvicorn", "app.main:app", "--port", str(port)],
        log=tmp_path / "log",
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(tmp_path / "data"), "HF_HUB_OFFLINE": "1"},
        cwd=tmp_path,
    )
    try:
        wait_healthy(f"http://127.0.0.1:{port}", child)
    finally:
        child.kill()
