import pytest

from app.core.errors import UnsupportedType
from app.rag.loaders import DOCX, HTML, LOADERS, MARKDOWN, NAMES, PDF, PLAIN
from app.rag.sniff import SNIFF_BYTES, media_type
from tests import documents

PARAGRAPH = documents.docx(documents.paragraph("x"))


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (documents.text_pdf(["x"]), "report.txt", PDF),
        (b"junk \x00\x01\n%PDF-1.4\n", "mail.bin", PDF),
        (b"damaged beyond all signs", "report.pdf", PDF),
        (PARAGRAPH, "report.zip", DOCX),
        (documents.zip_of({"a.txt": b"a"}), "report.docx", DOCX),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "locked.docx", DOCX),
        (b"<!DOCTYPE html><p>x", "notes.txt", HTML),
        (b"\xef\xbb\xbf \n<!-- a --><!-- b --><html><p>x", "notes", HTML),
        ('<?xml version="1.0"?><html xmlns="x">'.encode("utf-16"), "page", HTML),
        (b"<?xml version='1.0'?><feed>", "feed.xml", PLAIN),
        (b"<p>x</p>", "part.htm", HTML),
        (b"<h1 align=center>x</h1>", "README.md", MARKDOWN),
        (b"The PDF format starts with %PDF-1.7.", "about.txt", PLAIN),
        (b"a,b\n1,2\n", "table.csv", PLAIN),
        ("Съешь ещё этих булок".encode("cp1251"), "letter", PLAIN),
        ("日本語の文章です。".encode("iso2022_jp"), "letter.txt", PLAIN),
        ("plain words".encode("utf-16-le"), "wide.txt", PLAIN),
        (b"before\x00after", "nul.txt", PLAIN),
        ("cut in the middle of é".encode()[:-1], "cut.txt", PLAIN),
        (b"", "empty.txt", PLAIN),
        (b"", "empty.pdf", PDF),
    ],
)
def test_content_decides_and_the_name_breaks_ties(head: bytes, name: str, expected: str) -> None:
    assert media_type(head[:SNIFF_BYTES], name) == expected


@pytest.mark.parametrize(
    ("head", "name", "seems"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "photo.txt", "PNG"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "photo.pdf", "PNG"),
        (documents.zip_of({"a.txt": b"a"}), "all.zip", "ZIP"),
        (documents.zip_of({"[Content_Types].xml": b"", "xl/workbook.xml": b""}), "t.docx", "Excel"),
        (documents.zip_of({"ppt/presentation.xml": b""}), "t.pptx", "PowerPoint"),
        (documents.zip_of({"mimetype": b"application/vnd.oasis.opendocument.text"}), "t.odt", "OpenDocument"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "old.doc", "old Office"),
        (b"{\\rtf1 text}", "letter.rtf", "RTF"),
        (b"\x1f\x8b\x08\x00\x00\x00", "a.tar.gz", "gzip"),
        (bytes(range(256)) * 4, "thing.dat", "binary"),
        (b"MZ" + bytes(2046), "setup.exe", "a program"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(head: bytes, name: str, seems: str) -> None:
    with pytest.raises(UnsupportedType, match=seems) as caught:
        media_type(head, name)
    assert name in caught.value.message
    assert all(known in caught.value.message for known in NAMES.values())


def test_comments_before_html_are_read_in_linear_time() -> None:
    assert media_type(b"<!---->" * (SNIFF_BYTES // 7), "x.txt") == PLAIN


def test_every_loader_has_a_name_and_resolves() -> None:
    assert set(LOADERS.names()) == set(NAMES)
    for name in LOADERS.names():
        loader = LOADERS.get(name)()
        assert callable(loader.page_count)
        assert callable(loader.pages)
