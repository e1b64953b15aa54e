"""Documents brought in from the terminal, into the data folder and over HTTP."""

import json
from pathlib import Path

import httpx

from tests.cli.program import run
from tests.conftest import Serve
from tests.documents import encrypted_pdf, text_pdf

LIST = """
documents:
  - path: books
  - path: whales.pdf
"""


def outcomes(report: Path) -> dict[str, tuple[str, str]]:
    return {Path(each["document"]).name: (each["state"], each["outcome"]) for each in json.loads(report.read_bytes())}


def test_documents_are_brought_in_once_and_replaced_when_they_change(tmp_path: Path) -> None:
    data, report = str(tmp_path / "data"), tmp_path / "report.json"
    (tmp_path / "books").mkdir()
    (tmp_path / "books/one.txt").write_text("The bridge over the Tay fell in 1879.\n")
    (tmp_path / "books/locked.pdf").write_bytes(encrypted_pdf(["A secret."], password="word"))
    (tmp_path / "whales.pdf").write_bytes(text_pdf(["The blue whale eats krill.", "Its heart is heavy."]))
    (tmp_path / "list.yaml").write_text(LIST)
    arguments = ("ingest", str(tmp_path / "list.yaml"), "--json", str(report))

    first = run(*arguments, DATA_DIR=data)
    assert first.returncode == 1, first.stderr
    assert "protected by a password" in first.stdout
    assert "3 documents: 2 ready (2 new), 1 failed" in first.stdout
    assert outcomes(report) == {
        "locked.pdf": ("failed", "new"),
        "one.txt": ("ready", "new"),
        "whales.pdf": ("ready", "new"),
    }

    (tmp_path / "books/locked.pdf").unlink()
    (tmp_path / "books/one.txt").write_text("The bridge over the Tay was built again.\n")
    second = run(*arguments, DATA_DIR=data)
    assert second.returncode == 0, second.stderr
    assert outcomes(report) == {"one.txt": ("ready", "replaced"), "whales.pdf": ("ready", "unchanged")}


def test_documents_are_given_to_a_running_service(tmp_path: Path, serve: Serve) -> None:
    service = serve()
    beside = run("ingest", str(tmp_path), DATA_DIR=str(service.data_dir))
    assert beside.returncode == 2
    (tmp_path / "books").mkdir()
    (tmp_path / "books/one.txt").write_text("The bridge over the Tay fell in 1879.\n")
    beside = run("ingest", str(tmp_path / "books"), DATA_DIR=str(service.data_dir))
    assert (beside.returncode, "a service is running on" in beside.stderr) == (2, True)
    made = run("admin", "key", "--user", "admin", "--name", "k", "--scope", "files", DATA_DIR=str(service.data_dir))
    key = made.stdout.strip()
    given = run("ingest", str(tmp_path / "books"), "--server", service.url, "--key", key)
    assert given.returncode == 0, given.stderr
    listed = httpx.get(f"{service.url}/api/v1/files", headers={"Authorization": f"Bearer {key}"}).json()["items"]
    assert [(file["name"], file["status"]) for file in listed] == [("one.txt", "ready")]
    wrong = run("ingest", str(tmp_path / "books"), "--server", service.url, "--key", "sk_wrong")
    assert (wrong.returncode, "not an API key" in wrong.stderr) == (2, True)
