import asyncio
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from app.core.enums import PageState
from app.rag.base import Page, ParseError
from app.rag.loaders import DOCX, HTML, PDF, PLAIN
from app.rag.parser import KEPT_VARIABLES, ChildParser
from tests import documents

T = TypeVar("T")
LONG_TEXT = "A line of a long text that fills the pipe between the processes.\n" * 150_000
# Reads a file that keeps its child in native code for a minute.
PARENT = """
import asyncio, sys
from pathlib import Path
from app.rag.parser import ChildParser

async def main():
    async for _ in ChildParser(cpu_s=60, memory_mb=1024, wall_s=60).pages(Path(sys.argv[1]), "text/html"):
        pass

asyncio.run(main())
"""


def parser(*, cpu_s: float = 20, memory_mb: int = 1024, wall_s: float = 60) -> ChildParser:
    return ChildParser(cpu_s=cpu_s, memory_mb=memory_mb, wall_s=wall_s)


async def read(reader: ChildParser, path: Path, media_type: str, first: int = 1) -> list[tuple[Page, int | None]]:
    return [item async for item in reader.pages(path, media_type, first)]


def children(of: psutil.Process | None = None) -> list[psutil.Process]:
    found = []
    for process in (of or psutil.Process()).children(recursive=True):
        try:
            if "app.rag.parse_child" in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert children() == []


@pytest.fixture
def long_text(tmp_path: Path) -> Path:
    path = tmp_path / "long.txt"
    path.write_text(LONG_TEXT)
    return path


@pytest.fixture
def slow_page(tmp_path: Path) -> Path:
    path = tmp_path / "slow.html"
    path.write_text(("<div>" * 29_000 + "</div>" * 29_000) * 40)  # deep, but not deeper than what is refused
    return path


def child_cpu_s() -> float:
    """CPU seconds of all children that are gone."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize(
    ("data", "media_type", "expected"),
    [
        (documents.text_pdf(["One", "Two"]), PDF, ["One", "Two"]),
        (documents.encrypted_pdf(["Open to all"], password=""), PDF, ["Open to all"]),
        (documents.docx(documents.paragraph("Words")), DOCX, ["Words"]),
        (b"<h1>Head</h1>&#xD800;a&nbsp;b", HTML, ["# Head\n\n\ufffda b"]),
        (b"nul\x00 bell\x07 soft\xc2\xadhyphen\r\nline\fnext", PLAIN, ["nul bell softhyphen\nline", "next"]),
    ],
)
async def test_every_type_is_read_and_cleaned(
    tmp_path: Path, data: bytes, media_type: str, expected: list[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    pages = await read(parser(), path, media_type)
    assert pages == [(Page(number, text), len(expected)) for number, text in enumerate(expected, 1)]


@pytest.mark.parametrize("first", [2, 117, 250])
async def test_reading_resumes_with_the_same_pages(tmp_path: Path, first: int) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(documents.text_pdf([f"This is page {n}" for n in range(1, 251)]))
    whole = await read(parser(), path, PDF)
    assert len(whole) == 250
    assert await read(parser(), path, PDF, first) == whole[first - 1 :]


@pytest.mark.parametrize(
    ("data", "media_type", "code"),
    [
        (b"", PLAIN, "empty"),
        (b" \n\t \n", PLAIN, "no_text"),
        (documents.text_pdf(["", ""]), PDF, "no_text"),
        (documents.encrypted_pdf(["Secret"], password="secret"), PDF, "encrypted"),
        (documents.text_pdf(["words " * 200])[:400], PDF, "damaged"),
        (documents.docx("<w:p>" * 10), DOCX, "damaged"),
        (b"text", "image/png", "unsupported_type"),
    ],
)
async def test_what_cannot_be_read_fails_with_a_reason(tmp_path: Path, data: bytes, media_type: str, code: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(ParseError) as caught:
        await read(parser(), path, media_type)
    assert caught.value.code == code
    assert len(caught.value.message) > 10


async def test_a_resumed_reading_leaves_it_to_its_caller_whether_there_is_text(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(documents.text_pdf(["", "", ""]))
    assert [page.state for page, _ in await read(parser(), path, PDF, 3)] == [PageState.EMPTY]


async def test_a_resumed_file_has_text_when_an_earlier_page_has(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("text\f\f \f ")
    assert [page.number for page, _ in await read(parser(), path, PLAIN, 3)] == [3, 4]


async def test_a_missing_file_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="No such file") as caught:
        await read(parser(), tmp_path / "gone", PLAIN)
    assert caught.value.code == "unreadable"


async def test_the_cpu_limit_holds(slow_page: Path) -> None:
    before = child_cpu_s()
    with pytest.raises(ParseError, match="1 CPU seconds") as caught:
        await read(parser(cpu_s=1), slow_page, HTML)
    assert caught.value.code == "cpu_limit"
    assert child_cpu_s() - before < 3


async def test_the_memory_limit_holds_in_native_code(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pdf"
    path.write_bytes(documents.bomb_pdf(400))
    with pytest.raises(ParseError, match="256 MB") as caught:
        await read(parser(memory_mb=256), path, PDF)
    assert caught.value.code == "memory_limit"


async def test_the_memory_limit_holds_in_python(tmp_path: Path) -> None:
    path = tmp_path / "many.docx"
    path.write_bytes(documents.docx(documents.paragraph("x") * 1000 for _ in range(1000)))
    with pytest.raises(ParseError, match="128 MB") as caught:
        await read(parser(memory_mb=128), path, DOCX)
    assert caught.value.code == "memory_limit"


async def test_the_time_limit_holds(long_text: Path) -> None:
    with pytest.raises(ParseError, match=r"0\.001 seconds") as caught:
        await read(parser(wall_s=0.001), long_text, PLAIN)
    assert caught.value.code == "time_limit"


async def test_a_child_that_dies_is_explained(long_text: Path) -> None:
    pages = parser().pages(long_text, PLAIN)
    await anext(pages)
    (child,) = children()
    child.send_signal(signal.SIGSEGV)
    with pytest.raises(ParseError, match="SIGSEGV") as caught:
        while True:
            await anext(pages)
    assert caught.value.code == "crashed"


async def test_a_page_that_is_not_taken_stops_the_child(long_text: Path) -> None:
    pages = parser().pages(long_text, PLAIN)
    first, total = await anext(pages)
    (child,) = children()
    rest = [page async for page, _ in pages]
    assert total == len(rest) + 1
    assert "".join(page.text for page in [first, *rest]).count("\n") > 149_000
    assert not child.is_running()


async def test_leaving_early_ends_the_child_even_when_it_cannot_help(long_text: Path) -> None:
    pages = parser().pages(long_text, PLAIN)
    await anext(pages)
    (child,) = children()
    child.suspend()
    await asyncio.wait_for(pages.aclose(), 20)
    assert children() == []


async def test_cancelling_ends_the_child(slow_page: Path) -> None:
    before = child_cpu_s()
    task = asyncio.create_task(read(parser(), slow_page, HTML))
    for _ in range(1000):
        if children():
            break
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == []
    assert child_cpu_s() - before < 5


async def test_the_child_inherits_neither_secrets_nor_files(long_text: Path) -> None:
    with long_text.open():
        pages = parser().pages(long_text, PLAIN)
        await anext(pages)
        (child,) = children()
        assert set(child.environ()) <= {*KEPT_VARIABLES, "PYTHONPATH", "LC_CTYPE", "OMP_THREAD_LIMIT"}
        assert [file.path for file in child.open_files()] == [str(long_text)]
        await pages.aclose()


@pytest.mark.parametrize("moment_s", [0, 0.02, 0.05, 0.5])
def test_the_child_ends_when_its_parent_is_killed(slow_page: Path, moment_s: float) -> None:
    command = [sys.executable, "-c", PARENT, str(slow_page)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2]) as parent:
        (child,) = _awaited(lambda: children(psutil.Process(parent.pid)))
        time.sleep(moment_s)
        parent.kill()
    assert _awaited(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _awaited(look: Callable[[], T]) -> T:
    for _ in range(1000):
        if found := look():
            return found
        time.sleep(0.01)
    return look()
