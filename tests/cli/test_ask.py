"""Questions from the terminal."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.cli.bench.machine import child_running
from app.cli.screen import Screen
from tests.cli.program import ROOT, environment, run
from tests.conftest import Serve
from tests.documents import encrypted_pdf, text_pdf
from tests.fakes.upstream import Upstream

WHALES = ["Contents", "The blue whale eats up to four tonnes of krill in a day.", "Its heart weighs as much as a car."]
BRIDGES = "The bridge over the Tay fell in the winter of 1879 while a train was crossing it.\n"


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


@contextmanager
def asking(*arguments: str, stderr: int = subprocess.PIPE, **settings: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A question that is still being answered, in a process group of its own as a shell would have it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", "ask", *arguments],
        cwd=ROOT,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def ask_on_a_terminal(*arguments: str, **settings: str) -> tuple[str, str]:
    """What it wrote to standard output, a pipe, and to standard error, a terminal."""
    screen, terminal = os.openpty()
    with asking(*arguments, stderr=terminal, **settings) as process:
        os.close(terminal)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(screen, 4096):
                shown += part
        os.close(screen)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, shown.decode()
    return said.decode(), shown.decode()


def read_until(process: "subprocess.Popen[bytes]", text: bytes) -> None:
    assert process.stdout is not None
    seen = b""
    while text not in seen:
        assert select.select([process.stdout], [], [], 60)[0], seen
        seen += (part := os.read(process.stdout.fileno(), 4096))
        assert part, seen


def test_files_are_answered_with_their_pages_beside_a_running_service(tmp_path: Path, serve: Serve) -> None:
    data = str(serve().data_dir)
    whales, bridges = tmp_path / "whales.pdf", tmp_path / "bridges.txt"
    whales.write_bytes(text_pdf(WHALES))
    bridges.write_text(BRIDGES)

    question = "How much krill does a blue whale eat?"
    both, progress = ask_on_a_terminal("--file", str(whales), "-f", str(bridges), question, DATA_DIR=data)
    assert "four tonnes of krill" in both
    assert "\nPassages:\n[1] whales.pdf, page 2: The blue whale eats" in both
    assert "\x1b" not in both
    assert "whales.pdf" in progress
    assert "bridges.txt" in progress
    assert "ready" in progress

    kept = sorted((Path(data) / "cli" / "files").rglob("*"))
    renamed = whales.rename(tmp_path / "the same under another name.pdf")
    named = run("ask", "--file", renamed, "Which bridge fell in the winter of 1879?", DATA_DIR=data)
    assert named.returncode == 0, named.stderr
    assert "bridges.txt" not in named.stdout
    assert "\x1b" not in named.stdout + named.stderr
    assert sorted((Path(data) / "cli" / "files").rglob("*")) == kept

    every = run("ask", "-", given="Which bridge fell in the winter of 1879?", DATA_DIR=data)
    assert every.returncode == 0, every.stderr
    assert "[1] bridges.txt, page 1: The bridge over the Tay" in every.stdout


def test_citations_that_their_passages_do_not_support_are_told(tmp_path: Path, upstream: Upstream, data: str) -> None:
    """The fake model's report on revenue cites passages that are of whales."""
    whales = tmp_path / "whales.pdf"
    whales.write_bytes(text_pdf(WHALES))
    settings = {"OPENAI_BASE_URL": upstream.url, "OPENAI_MODEL": "fake-m1", "DATA_DIR": data}
    done = run("ask", "--file", whales, "What do whales eat?", **settings)
    assert done.returncode == 0, done.stderr
    _, told, doubts = done.stdout.partition("\nNot found in the source:\n")
    assert told
    lines = doubts.splitlines()
    assert len(lines) == len(set(lines)) > 1
    assert any(line.startswith("[1] “12 %” is not in passage 1") for line in lines)
    assert any(line.startswith("[2] ") for line in lines)


def test_file_that_cannot_be_read_is_named_and_nothing_is_asked(tmp_path: Path, upstream: Upstream, data: str) -> None:
    unknown, locked, good = tmp_path / "sound.mp3", tmp_path / "locked.pdf", tmp_path / "good.txt"
    unknown.write_bytes(b"ID3\x04" + bytes(1000))
    locked.write_bytes(encrypted_pdf(["secret"], password="a password"))
    good.write_text(BRIDGES)
    names = [part for path in (unknown, locked, good) for part in ("--file", str(path))]
    done = run("ask", *names, "What fell?", DATA_DIR=data, OPENAI_BASE_URL=upstream.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{unknown}: " in done.stderr
    assert f"{locked}: " in done.stderr
    assert "password" in done.stderr
    assert str(good) not in done.stderr
    assert upstream.stats.requests == 0


def test_answer_comes_as_it_is_written(upstream: Upstream, data: str) -> None:
    settings = {"DATA_DIR": data, "OPENAI_BASE_URL": upstream.url}
    with asking("--no-rag", "--model", "fake-n40-s20", "Count.", **settings, IDLE_TIMEOUT_S="600") as process:
        read_until(process, b"19@")
        assert process.poll() is None


def test_words_of_strangers_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.write("a\x1b[31mred\x07 word\n")
    screen.note("a\x9b2J\rfile [bold]name[/]")
    assert capsys.readouterr() == ("a[31mred word\n", "a2Jfile [bold]name[/]\n")


def test_model_that_fails_is_told_with_its_reason(upstream: Upstream, data: str) -> None:
    done = run("ask", "--no-rag", "--model", "fake-e401", "Hello?", DATA_DIR=data, OPENAI_BASE_URL=upstream.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("Error: the model's server refused the key (401): injected 401; check openai's API key\n")


def test_interrupt_ends_it_cleanly_and_the_next_question_is_answered(upstream: Upstream, data: str) -> None:
    settings = {"DATA_DIR": data, "OPENAI_BASE_URL": upstream.url}
    with asking("--no-rag", "--model", "fake-n20-s10", "Count.", **settings) as process:
        read_until(process, b"9@")
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == b"Stopped.\n"
    again = run("ask", "--no-rag", "--model", "fake-n3", "Count.", **settings)
    assert again.returncode == 0, again.stderr
    assert [token.partition("@")[0] for token in again.stdout.split()] == ["0", "1", "2"]


def test_interrupt_while_a_file_is_indexed_is_as_quiet(tmp_path: Path, data: str) -> None:
    (tmp_path / "long.txt").write_text("".join(f"On day {day} the ship sailed on.\n" for day in range(10_000)))
    with asking("--file", str(tmp_path / "long.txt"), "Who sailed?", DATA_DIR=data) as process:
        for _ in range(600):
            if child_running(process.pid, "app.rag.chroma"):
                break
            time.sleep(0.1)
        time.sleep(0.2)  # it is still importing, and the service waits for its first word
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == (b"", b"Stopped.\n")


def test_second_question_waits_for_the_first(upstream: Upstream, data: str) -> None:
    settings = {"DATA_DIR": data, "OPENAI_BASE_URL": upstream.url}
    with asking("--no-rag", "--model", "fake-n100-d20", "Count.", **settings) as first:
        read_until(first, b"1@")
        second = run("ask", "--no-rag", "--model", "fake-n2", "Count.", **settings)
        assert first.wait(30) == 0
    assert second.returncode == 0, second.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["Hello?", "--model-source", "nobody"], "unknown model_source 'nobody'; known: local, ollama, passages"),
        (["Hello?", "--file", "not-there.pdf"], "'not-there.pdf' does not exist"),
        (["Hello?", "--file", "/dev/null"], "not a regular file"),
        (["Hello?", "--file", "README.md", "--no-rag"], "--no-rag searches no files"),
        ([" "], "the question is empty"),
        ([], "Missing argument"),
    ],
)
def test_bad_usage_is_refused_before_anything_is_made(data: str, arguments: list[str], complaint: str) -> None:
    done = run("ask", *arguments, DATA_DIR=data)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert not Path(data).exists()
