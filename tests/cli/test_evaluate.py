"""`llama-service eval retrieval`, as a person runs it."""

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.program import run
from tests.conftest import Serve
from tests.documents import encrypted_pdf, text_pdf
from tests.fakes.embeddings import Embeddings

CORPUS = [
    {"_id": "d1", "title": "Apples", "text": "are red and grow on trees"},
    {"_id": "d2", "text": "The notice period is three months. " * 60 + "Quetzals are green birds."},
    {"_id": "d3", "title": "", "text": "Physicians prescribe medicine"},
]
QUERIES = [
    {"_id": "q1", "text": "apples"},
    {"_id": "q2", "text": "quetzal"},
    {"_id": "q3", "text": "drugs given by doctors"},
    {"_id": "q4", "text": "a question that nobody has judged"},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\nq3\td3\t1\n"


def write(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in CORPUS))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in QUERIES))
    (folder / "qrels.tsv").write_text(QRELS)
    return folder


@pytest.mark.parametrize("on_postgres", [False, True])
def test_prints_and_writes_the_figures_of_each_half_and_of_both(
    tmp_path: Path, request: pytest.FixtureRequest, on_postgres: bool
) -> None:
    write(tmp_path / "sets" / "first")
    write(tmp_path / "sets" / "second")
    report = tmp_path / "report.json"
    database = ["--database-url", request.getfixturevalue("postgres_url")] if on_postgres else []
    done = run("eval", "retrieval", tmp_path / "sets", "--json", report, *database, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_bytes())
    assert set(figures["collections"]) == {"first", "second"}
    # Words alone cannot know that doctors are physicians; meaning finds all three.
    assert figures["mean"]["text"]["ndcg_10"] == pytest.approx(2 / 3)
    assert set(figures["mean"]["dense"].values()) == set(figures["mean"]["hybrid"].values()) == {1}
    assert figures["collections"]["first"]["cost"]["hybrid"]["p95_ms"] > 0
    assert figures["collections"]["first"]["chunks"] == 5
    assert figures["collections"]["first"]["chunks_per_core_s"] > 0
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows.count(["collection", "text", "dense", "hybrid"]) == 9
    assert rows.count(["mean", "0.6667", "1.0000", "1.0000"]) == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "sets"]


def test_the_embedder_of_the_settings_is_measured(tmp_path: Path) -> None:
    folder = write(tmp_path / "first")
    report = tmp_path / "report.json"
    with Embeddings() as server:
        settings = {"OPENAI_BASE_URL": server.url, "EMBEDDING_SOURCE": "openai", "EMBEDDING_MODEL": "words-512"}
        done = run("eval", "retrieval", folder, "--json", report, cwd=tmp_path, **settings)
        assert done.returncode == 0, done.stderr
        server.error = 401
        refused = run("eval", "retrieval", folder, cwd=tmp_path, **settings)
    figures = json.loads(report.read_bytes())
    assert figures["embedder"] == "openai/words-512@512"
    assert figures["mean"]["dense"]["recall_10"] == 1
    assert refused.returncode == 2
    assert "openai does not embed" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_broken_collection_is_named_with_its_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "broken")
    with (folder / "queries.jsonl").open("a") as file:
        file.write("{}\n")
    done = run("eval", "retrieval", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert "queries.jsonl', line 5" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    done = run("eval", "retrieval", write(tmp_path / "set"), "--database-url", "mysql://x", cwd=tmp_path)
    assert done.returncode == 2
    assert "'mysql://x' cannot be used" in done.stderr


def questions(folder: Path, *lines: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_pages_of_documents_are_found_where_they_are(tmp_path: Path) -> None:
    folder = questions(
        tmp_path / "books",
        {"_id": "q1", "text": "What does the blue whale eat?", "file": "sea/whales.pdf", "pages": [2]},
        {"_id": "q2", "text": "When did the Tay bridge fall?", "gold": [{"file": "bridges.txt", "pages": [1]}]},
        {"_id": "q3", "text": "Who keeps the secret?", "file": "locked.pdf", "pages": [1]},
    )
    (folder / "sea").mkdir()
    (folder / "sea/whales.pdf").write_bytes(text_pdf(["Contents", "The blue whale eats krill.", "Its heart is heavy."]))
    (folder / "bridges.txt").write_text("The bridge over the Tay fell in 1879.\n")
    (folder / "locked.pdf").write_bytes(encrypted_pdf(["A secret."], password="word"))
    report = tmp_path / "report.json"
    done = run("eval", "documents", folder, "--json", report, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(report.read_bytes())["collections"]["books"]
    assert figures["quality"]["hybrid"]["hit_1"] == pytest.approx(2 / 3)
    assert "protected by a password" in figures["unread"]["locked.pdf"]
    assert "page hit@1" in done.stdout


def test_golden_questions_are_compared_with_the_run_before(tmp_path: Path, serve: Serve) -> None:
    service = serve()
    data = {"DATA_DIR": str(service.data_dir)}
    key = run("admin", "key", "--user", "admin", "--name", "k", "--scope", "files", **data).stdout.strip()
    asked = ("eval", "golden", "--server", service.url, "--key", key)
    none = run(*asked)
    assert (none.returncode, "there is no golden question" in none.stderr) == (2, True)
    (tmp_path / "whales.txt").write_text("The blue whale eats krill.\n")
    assert run("ingest", tmp_path / "whales.txt", "--server", service.url, "--key", key).returncode == 0
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}) as client:
        file_id = client.get("/api/v1/files").json()["items"][0]["id"]
        body = {"question": "What does the blue whale eat?", "file_id": file_id, "page": 1}
        client.post("/api/v1/golden", json=body).raise_for_status()
        first = run(*asked)
        assert (first.returncode, "The first run" in first.stdout) == (0, True)
        client.delete(f"/api/v1/files/{file_id}").raise_for_status()
    report = tmp_path / "report.json"
    lost = run(*asked, "--json", report)
    assert lost.returncode == 1
    assert "0.0000 (-1.0000)" in lost.stdout
    assert "Not there any more: whales.txt" in lost.stdout
    assert json.loads(report.read_bytes())["compared"] == 1
