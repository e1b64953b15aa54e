"""Scanned pages: read by the program `tesseract` on PATH within limits, and marked with a reason when that fails."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.core.enums import PageState
from app.rag.loaders import PDF
from app.rag.pages import Page, ParseError
from app.rag.parser import ChildParser, OcrLimits
from tests import documents

# Says how many bytes of a picture it was given, with whatever else the test wants of it.
PROGRAM = """#!/bin/sh
if [ "$1" = --list-langs ]; then printf 'List of languages (2):\\neng\\ndeu\\n'; exit; fi
echo "$@" > "{folder}/asked"
{act}
"""
COUNT = "echo Recognised $(wc -c) bytes"
SECOND_FAILS = (
    'n=$(wc -c); if [ -e "{folder}/again" ]; then echo bad picture >&2; exit 1; fi; touch "{folder}/again"; echo One'
)
LETTER = "The keeper of the lighthouse at the harbour of Lerwick wrote in 1894 that forty ships had passed."
Tesseract = Callable[[str], None]


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tesseract:
    """Puts a program of that name on PATH, before any real one."""

    def put(act: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "tesseract"
        program.write_text(PROGRAM.format(folder=tmp_path, act=act.replace("{folder}", str(tmp_path))))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    return put


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.pdf"
    path.write_bytes(documents.scanned_pdf(3))
    return path


async def read(path: Path, limits: OcrLimits | None = None) -> tuple[list[Page], ParseError | None]:
    """The pages, and the error with which the file ended."""
    pages: list[Page] = []
    try:
        async for page, _ in ChildParser(cpu_s=20, memory_mb=1024, wall_s=30, ocr=limits).pages(path, PDF):
            pages.append(page)
    except ParseError as error:
        return pages, error
    return pages, None


def states(pages: list[Page]) -> list[PageState]:
    return [page.state for page in pages]


async def test_a_scanned_page_is_drawn_and_recognised(tesseract: Tesseract, scan: Path) -> None:
    tesseract(COUNT)
    pages, error = await read(scan, OcrLimits(languages="eng+deu"))
    assert (states(pages), error) == ([PageState.OCR] * 3, None)
    assert all(int(page.text.split()[1]) > 8_000_000 for page in pages)  # 612 x 792 points at 300 dpi
    assert "-l eng+deu" in (scan.parent / "asked").read_text()


async def test_tesseract_itself_reads_what_a_scanner_saw(tmp_path: Path) -> None:
    path = tmp_path / "scan.pdf"
    path.write_bytes(documents.photographed_pdf([LETTER, LETTER.replace("1894", "1907")]))
    pages, error = await read(path)
    assert (states(pages), error) == ([PageState.OCR] * 2, None)
    assert ["harbour of Lerwick" in page.text and "1894" in page.text for page in pages] == [True, False]
    assert "1907" in pages[1].text


@pytest.mark.parametrize(
    ("languages", "way_out"),
    [("eng", "install Tesseract"), ("eng+fra+chi_sim", r"no 'fra' and no 'chi_sim' .* it has deu, eng; .*chi-sim")],
)
async def test_without_the_program_or_a_language_the_file_says_what_to_install(
    tesseract: Tesseract, scan: Path, monkeypatch: pytest.MonkeyPatch, languages: str, way_out: str
) -> None:
    if languages == "eng":
        monkeypatch.setenv("PATH", str(scan.parent))
    else:
        tesseract(COUNT)
    pages, error = await read(scan, OcrLimits(languages=languages))
    assert states(pages) == [PageState.NEEDS_OCR] * 3
    assert error is not None
    assert error.code == "no_text"
    with pytest.raises(ParseError, match=f"^no text found, looks scanned; .*{way_out}"):
        raise error


@pytest.mark.parametrize(
    ("act", "limits", "expected", "said"),
    [
        (SECOND_FAILS, OcrLimits(), [PageState.OCR, PageState.FAILED, PageState.FAILED], "bad picture"),
        ("sleep 60", OcrLimits(page_s=0.5), [PageState.FAILED] * 3, "OCR_PAGE_S"),
        ("sleep 60", OcrLimits(total_s=0.5), [PageState.NEEDS_OCR] * 3, "OCR_TOTAL_S"),
        ("kill -XCPU $$", OcrLimits(), [PageState.FAILED] * 3, "CPU seconds"),
        ("kill -ABRT $$", OcrLimits(), [PageState.FAILED] * 3, "PARSE_MEMORY_MB"),
        ("wc -c > /dev/null", OcrLimits(), [PageState.EMPTY] * 3, ""),
    ],
)
async def test_a_page_that_fails_is_marked_and_the_others_stay(
    tesseract: Tesseract, scan: Path, act: str, limits: OcrLimits, expected: list[PageState], said: str
) -> None:
    tesseract(act)
    pages, error = await read(scan, limits)
    assert states(pages) == expected
    assert all(said in str(page.failure) for page in pages if page.state in {PageState.FAILED, PageState.NEEDS_OCR})
    assert (error is None) == any(page.text for page in pages)


async def test_nothing_is_left_running_when_the_reading_is_given_up(tesseract: Tesseract, scan: Path) -> None:
    tesseract(f'if [ -e "{{folder}}/again" ]; then exec sleep 61; fi; touch "{{folder}}/again"; {COUNT}')
    pages = ChildParser(cpu_s=20, memory_mb=1024, wall_s=30).pages(scan, PDF)
    page, _ = await anext(pages)
    assert page.by_ocr
    while not sleepers():  # the second page
        pass
    await pages.aclose()  # type: ignore[attr-defined]
    assert not sleepers()


def sleepers() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "61"]]
