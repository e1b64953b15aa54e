"""`llama-service models`: fetch, list and remove GGUF files without a server, whatever happens to the process."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.program import ROOT, environment, run
from tests.conftest import Serve
from tests.fakes.hub import Hub, gguf

REPO = "owner/Tiny-GGUF"
FILE = "tiny-Q4_K_M.gguf"
DATA = gguf(6_000_000)
MB = 1 << 20


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        hub.add(REPO, FILE, DATA)
        hub.add(REPO, "tiny-Q8_0.gguf", gguf(1000))
        yield hub


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def models(hub: Hub, data: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return run("models", *arguments, DATA_DIR=str(data), HF_ENDPOINT=hub.url, **settings)


@contextmanager
def pulling(hub: Hub, data: Path, address: str) -> Iterator["subprocess.Popen[str]"]:
    """A pull that has been sent 3 MB and waits for more."""
    hub.repos[REPO].files[FILE].holds = [3 * MB]
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "models", "pull", address],
        cwd=ROOT,
        env=environment(DATA_DIR=str(data), HF_ENDPOINT=hub.url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        hub.wait_held(data / "models" / f"{FILE}.part", 2 * MB)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_best_file_is_pulled_listed_and_removed(hub: Hub, data: Path) -> None:
    pulled = models(hub, data, "pull", REPO)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout == f"Model tiny-Q4_K_M is ready: {data}/models/{FILE}\n"
    assert f"{REPO}:{FILE}, 6 MB (chosen by its quantization)" in pulled.stderr
    assert "tiny-Q4_K_M: downloading, " in pulled.stderr
    assert "\x1b" not in pulled.stderr, "plain lines where there is no terminal"
    assert (data / "models" / FILE).read_bytes() == DATA

    listed = models(hub, data, "list").stdout.splitlines()
    assert listed[0].split() == ["Name", "Size", "From", "Modified"]
    assert listed[1].split()[:4] == ["tiny-Q4_K_M", "6", "MB", f"{REPO}:{FILE}"]

    assert models(hub, data, "rm", "tiny-Q4_K_M").stdout == "Removed tiny-Q4_K_M.\n"
    assert list((data / "models").iterdir()) == []
    assert "There are no models in" in models(hub, data, "list").stdout


def test_killed_pull_goes_on_where_it_was(hub: Hub, data: Path) -> None:
    with pulling(hub, data, REPO) as process:
        process.kill()
        process.wait()
    kept = (data / "models" / f"{FILE}.part").stat().st_size
    assert not (data / "models" / FILE).exists()
    assert "not finished" in models(hub, data, "list").stdout
    before = hub.seen.sent[FILE]

    again = models(hub, data, "pull", REPO)
    assert again.returncode == 0, again.stderr
    assert (data / "models" / FILE).read_bytes() == DATA
    assert hub.seen.ranges == [f"bytes={kept}-"]
    assert hub.seen.sent[FILE] - before == len(DATA) - kept
    assert {path.name for path in (data / "models").iterdir()} == {FILE, f"{FILE}.json"}


def test_interrupted_pull_says_how_to_go_on(hub: Hub, data: Path) -> None:
    with pulling(hub, data, f"{REPO}:{FILE}") as process:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"go on with: llama-service models pull {REPO}:{FILE}" in said
    assert "Traceback" not in said
    assert models(hub, data, "pull", REPO).returncode == 0
    assert len(hub.seen.ranges) == 1


def test_two_pulls_of_one_name_do_not_mix(hub: Hub, data: Path) -> None:
    with pulling(hub, data, REPO) as process:
        second = models(hub, data, "pull", REPO)
        assert second.returncode == 1
        assert second.stderr.endswith("'tiny-Q4_K_M' is being pulled by another process; wait for it, or end it\n")
        assert models(hub, data, "pull", f"{REPO}:Q8_0").returncode == 0, "another model is nobody's business"
        hub.release()
        said, _ = process.communicate(timeout=60)
    assert "is ready" in said
    assert (data / "models" / FILE).read_bytes() == DATA


def test_wrong_hash_is_refused(hub: Hub, data: Path) -> None:
    hub.add(REPO, "bad.gguf", gguf(1000, seed=1), sha256="0" * 64)
    refused = models(hub, data, "pull", f"{REPO}:bad")
    assert refused.returncode == 1
    assert f"instead of {'0' * 64}; nothing was kept" in refused.stderr
    assert list((data / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("owner/None", "similar ones: owner/Tiny-GGUF"),
        (f"{REPO}:tiny-Q4_K.gguf", "maybe 'tiny-Q4_K_M.gguf' is meant"),
        ("tiny", "write OWNER/REPO"),
        ("/nowhere/x.gguf", "there is no file '/nowhere/x.gguf'"),
        ("ftp://x/y.gguf", "unknown kind of model address 'ftp'; known: az, file, gs"),
    ],
)
def test_refusal_is_one_sentence(hub: Hub, data: Path, address: str, said: str) -> None:
    refused = models(hub, data, "pull", address)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_token_of_the_settings_opens_a_private_repository(hub: Hub, data: Path) -> None:
    hub.token = "hf_private"
    assert "HF_TOKEN" in models(hub, data, "pull", f"{REPO}:Q8_0").stderr
    pulled = models(hub, data, "pull", f"{REPO}:Q8_0", HF_TOKEN="hf_private")
    assert pulled.returncode == 0
    assert "hf_private" not in pulled.stdout + pulled.stderr
    assert hub.seen.leaked == []


def test_file_of_this_folder_is_taken_by_its_relative_path(hub: Hub, data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gguf").write_bytes(gguf(1000))
    taken = run("models", "pull", "mine.gguf", cwd=tmp_path, DATA_DIR=str(data))
    assert taken.returncode == 0, taken.stderr
    assert (data / "models" / "mine.gguf").samefile(tmp_path / "mine.gguf")


def test_models_are_looked_after_beside_a_running_service(hub: Hub, serve: Serve) -> None:
    service = serve(HF_ENDPOINT=hub.url)
    assert models(hub, service.data_dir, "pull", f"{REPO}:Q8_0").returncode == 0
    assert "tiny-Q8_0" in models(hub, service.data_dir, "list").stdout
    assert models(hub, service.data_dir, "rm", "tiny-Q8_0").returncode == 0
    assert service.child.running


def test_unknown_model_is_not_removed(hub: Hub, data: Path) -> None:
    refused = models(hub, data, "rm", "../../etc/passwd")
    assert (refused.returncode, refused.stderr) == (1, "unknown model '../../etc/passwd'; known: none\n")
