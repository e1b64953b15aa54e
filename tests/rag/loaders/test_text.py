from pathlib import Path

import pytest

from app.rag.loaders.text import Text
from app.rag.readers.sections import SECTION_CHARS

RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 5
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。" * 5
FRENCH = "Voix ambiguë d'un cœur qui au zéphyr préfère les jattes de kiwis. " * 5
GERMAN = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. " * 5


def read(path: Path, first: int = 1) -> list[tuple[int, str]]:
    return [(page.number, page.text) for page in Text().pages(path, first)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (RUSSIAN, "utf-8"),
        (RUSSIAN, "utf-8-sig"),
        (RUSSIAN, "utf-16"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (JAPANESE, "utf-16-be"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (GERMAN, "cp1252"),
        (GERMAN, "mac_roman"),
        (FRENCH, "cp1252"),
        ("plain ASCII", "utf-16-le"),
        ("plain ASCII", "ascii"),
    ],
)
def test_text_is_read_in_its_encoding(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    assert read(path) == [(1, text.rstrip())]


def test_a_declared_encoding_beats_a_guess(tmp_path: Path) -> None:
    path = tmp_path / "text.xml"
    path.write_bytes('<?xml version="1.0" encoding="windows-1254"?>\n<p>Yağız şoför</p>'.encode("cp1254"))
    assert "Yağız şoför" in read(path)[0][1]


def test_one_broken_byte_does_not_change_the_encoding(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes((RUSSIAN * 20).encode() + b"\xff")
    assert read(path)[0][1] == RUSSIAN * 20 + "\ufffd"


def test_form_feeds_separate_pages(tmp_path: Path) -> None:
    path = tmp_path / "rfc.txt"
    path.write_text("one\f\fthree\n\f")
    assert read(path) == [(1, "one"), (2, ""), (3, "three")]
    assert Text().page_count(path) == 3


def test_a_long_text_is_cut_into_sections_that_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    paragraphs = [f"Paragraph {n}. " + "words and more words " * (n % 90) for n in range(800)]
    path.write_text("\n\n".join(paragraphs))
    pages = read(path)
    assert len(pages) == Text().page_count(path) > 10
    assert all(len(text) <= SECTION_CHARS and text.startswith("Paragraph") for _, text in pages)
    assert "\n\n".join(text for _, text in pages).split() == path.read_text().split()
    assert read(path, 7) == pages[6:]


def test_a_text_without_any_space_is_cut_hard(tmp_path: Path) -> None:
    path = tmp_path / "base64.txt"
    path.write_text("A" * (2 * SECTION_CHARS + 5))
    assert [len(text) for _, text in read(path)] == [SECTION_CHARS, SECTION_CHARS, 5]
