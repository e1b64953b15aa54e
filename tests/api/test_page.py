"""The built page over HTTP: headers, caching, compression, and what is said while it is missing."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.api import errors, page

SCRIPT = b"console.log('" + b"x" * 2000 + b"')"


def _client(static: Path) -> TestClient:
    app = FastAPI(docs_url=None, redoc_url=None)
    errors.install(app)
    app.include_router(page.build_router(static, static.with_name("static_error.txt")))
    return TestClient(app)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder as a build leaves it."""
    static = tmp_path / "static"
    files = {
        "index.html": b"<!doctype html><title>Page</title>",
        "theme.js": b"//",
        "favicon.svg": b"<svg/>",
        "assets/index-abc.js": SCRIPT,
        "assets/index-abc.js.gz": gzip.compress(SCRIPT),
        "docs/index.html": b"<!doctype html><title>Docs</title>",
        "docs/init.js": b"//",
    }
    for name, data in files.items():
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_bytes(data)
    (static / ".build.json").write_text(json.dumps({"files": {name: len(data) for name, data in files.items()}}))
    return static


@pytest.fixture
def client(built: Path) -> Iterator[TestClient]:
    with _client(built) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/docs", "/theme.js", "/favicon.svg", "/docs/init.js", "/assets/index-abc.js"])
def test_every_file_comes_under_a_strict_policy(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_hashed_files_are_kept_forever_and_others_asked_for_again(client: TestClient) -> None:
    assert "immutable" in client.get("/assets/index-abc.js").headers["cache-control"]
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(("accept", "packed"), [("gzip, br", True), ("identity", False), ("gzip;q=0, *", False)])
def test_a_packed_copy_goes_to_those_who_take_it(client: TestClient, accept: str, packed: bool) -> None:
    answer = client.get("/assets/index-abc.js", headers={"Accept-Encoding": accept})
    assert answer.content == SCRIPT
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    assert answer.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["/assets/nothing.js", "/docs/..%2findex.html", "/assets/..%2f.build.json", "/docs/x.gz"]
)
def test_only_files_of_the_build_are_served(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_new_build_shows_without_a_restart(client: TestClient, built: Path) -> None:
    assert "Page" in client.get("/").text
    (built / "index.html").write_bytes(b"<!doctype html><title>Newer</title>")
    stamp = built / ".build.json"
    stamp.write_text(stamp.read_text() + "\n")
    assert "Newer" in client.get("/").text


def test_a_failed_build_says_why(tmp_path: Path) -> None:
    (tmp_path / "static_error.txt").write_text("npm ci failed: <no network>")
    with _client(tmp_path / "static") as client:
        answer = client.get("/")
    assert answer.status_code == 503
    assert "npm ci failed: &lt;no network&gt;" in answer.text
    assert 'href="/docs"' in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_the_api_is_listed_while_its_own_page_is_missing(tmp_path: Path) -> None:
    app = FastAPI(docs_url=None, redoc_url=None)
    app.include_router(page.build_router(tmp_path / "static", tmp_path / "error"))
    app.add_api_route("/things/{id}", lambda: None, summary="Give <one>")
    with TestClient(app) as client:
        answer = client.get("/docs")
    assert answer.status_code == 200
    assert "/things/{id}" in answer.text
    assert "Give &lt;one&gt;" in answer.text
