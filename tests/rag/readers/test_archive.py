"""What is said of damaged archives: which part, why, and what to do; nothing of Python's own."""

import zipfile
from pathlib import Path

import pytest

from app.rag.pages import ParseError
from app.rag.readers.archive import Archive


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "a.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", "<w>words and more words</w>" * 99)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ParseError) as caught:
        Archive(path).read("word/document.xml")
    assert caught.value.code == "damaged"
    return caught.value.message


def test_an_archive_that_was_cut_off(whole: Path) -> None:
    whole.write_bytes(whole.read_bytes()[:-40])
    assert complaint(whole).startswith("the file is damaged: what is packed in it cannot be unpacked (")
    assert complaint(whole).endswith("; save it again")


def test_a_part_that_was_overwritten_is_named(whole: Path) -> None:
    data = bytearray(whole.read_bytes())
    data[60:90] = bytes(30)
    whole.write_bytes(data)
    assert "its part 'word/document.xml' cannot be unpacked" in complaint(whole)


def test_reasons_of_python_are_left_out(whole: Path) -> None:
    """A name that is no UTF-8 though it is marked so."""
    data = whole.read_bytes()
    at = data.rindex(b"PK\x01\x02")
    broken = bytearray(data)
    broken[at + 9] |= 0x08
    broken[at + 46] = 0xFF
    whole.write_bytes(broken)
    assert complaint(whole) == "the file is damaged: what is packed in it cannot be unpacked; save it again"
