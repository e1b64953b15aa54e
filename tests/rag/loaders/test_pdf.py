from pathlib import Path

import pytest

from app.core.enums import PageState
from app.rag.loaders.pdf import Pdf
from app.rag.pages import Page, ParseError
from tests import documents
from tests.documents import pdf, text_pdf


def pages_of(path: Path, data: bytes, first: int = 1) -> list[Page]:
    path.write_bytes(data)
    return list(Pdf().pages(path, first))


def test_pages_come_one_by_one_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    pages = pages_of(path, text_pdf(["First page\nsecond line", "Second (page)", ""]))
    assert [page.text.split("\r\n") for page in pages] == [["First page", "second line"], ["Second (page)"], [""]]
    assert [page.number for page in pages] == [1, 2, 3]
    assert Pdf().page_count(path) == 3
    assert list(Pdf().pages(path, 2)) == pages[1:]


@pytest.mark.parametrize(("second", "expected"), [("ment", "document"), ("Based", "docu-Based")])
def test_a_hyphen_at_a_line_end_joins_its_word(tmp_path: Path, second: str, expected: str) -> None:
    (page,) = pages_of(tmp_path / "a.pdf", text_pdf([f"This is a docu-\n{second} of words"]))
    assert f"a {expected} of words" in page.text


def test_text_that_pdfium_drops_is_read_by_pypdf(tmp_path: Path) -> None:
    (page,) = pages_of(tmp_path / "a.pdf", documents.hidden_text_pdf())
    assert page.text.count("word") == 40


def test_a_file_that_pdfium_refuses_is_read_by_pypdf(tmp_path: Path) -> None:
    pages = pages_of(tmp_path / "a.pdf", text_pdf(["One", "Two"], before=b"junk " * 500))
    assert [page.text.strip() for page in pages] == ["One", "Two"]


def test_pages_that_are_pictures_need_ocr(tmp_path: Path) -> None:
    outlines = pdf([b"0 0 m 5 5 l 9 0 l f\n" * 250])
    for data in (documents.scanned_pdf(1), outlines):
        (page,) = pages_of(tmp_path / "a.pdf", data)
        assert page.needs_ocr
    (page,) = pages_of(tmp_path / "a.pdf", text_pdf(["x"]))
    assert not page.needs_ocr


def test_an_empty_password_opens(tmp_path: Path) -> None:
    (page,) = pages_of(tmp_path / "a.pdf", documents.encrypted_pdf(["Secret text"], password=""))
    assert page.text.strip() == "Secret text"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (documents.encrypted_pdf(["Secret text"], password="secret"), "encrypted"),
        (text_pdf(["words " * 200])[:500], "damaged"),
        (b"%PDF-1.7\n", "damaged"),
        (b"no PDF at all", "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a.pdf", data)
    assert caught.value.code == code


def test_one_damaged_page_does_not_lose_the_others(tmp_path: Path) -> None:
    data = text_pdf(["One", "Two", "Three"]).replace(b"/Kids[4 0 R 6 0 R 8 0 R]", b"/Kids[4 0 R 1 0 R 8 0 R]")
    pages = pages_of(tmp_path / "a.pdf", data)
    assert [page.text.strip() for page in pages] == ["One", "", "Three"]
    assert [page.state for page in pages] == [PageState.READ, PageState.FAILED, PageState.READ]
    assert pages[1].failure is not None
