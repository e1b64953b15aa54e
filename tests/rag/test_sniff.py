import pytest

from app.core.errors import UnsupportedType
from app.rag.containers import OLE_FILE, PACKED
from app.rag.loaders import (
    CSV,
    DOCX,
    EMAIL,
    EPUB,
    HTML,
    JSON,
    LOADERS,
    MARKDOWN,
    NAMES,
    PDF,
    PLAIN,
    RTF,
    SUBTITLES,
    TSV,
    XML,
)
from app.rag.sniff import SNIFF_BYTES, media_type
from tests import documents

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAIL = b"Received: by x\n id 1\nFrom: a@b\nSubject: hello\nDate: today\n\nWords"


@pytest.mark.parametrize(
    ("head", "name", "expected"),
    [
        (documents.text_pdf(["x"]), "report.txt", PDF),
        (b"junk \x00\x01\n%PDF-1.4\n", "mail.bin", PDF),
        (b"damaged beyond all signs", "report.pdf", PDF),
        (documents.zip_of({"a.txt": b"a"}), "report.docx", PACKED),
        (documents.zip_of({"mimetype": b"application/epub+zip"}), "report.docx", EPUB),
        (OLE + b"....", "old.doc", OLE_FILE),
        (bytes(range(256)), "report.docx", DOCX),
        (b"<!DOCTYPE html><p>x", "notes.txt", HTML),
        (b"\xef\xbb\xbf \n<!-- a --><!-- b --><html><p>x", "notes", HTML),
        ('<?xml version="1.0"?><html xmlns="x">'.encode("utf-16"), "page", HTML),
        (b"<?xml version='1.0'?><feed>", "feed.xml", XML),
        (b"<?xml version='1.0'?><feed>", "feed", XML),
        (b"<feed/>", "feed.rss", XML),
        ("<?xml version='1.0'?><x>é</x>".encode("utf-16"), "wide.txt", XML),
        (b" {\\rtf1\\bin4 \0\1\2\3 text}", "letter.doc", RTF),
        (b'\xef\xbb\xbf{"a": [1]}', "data", JSON),
        (b'{"a": 1}\n{"a": 2}\n', "events.log", JSON),
        (b'{"a": ' + b"1" * SNIFF_BYTES, "long.txt", JSON),
        (b'{"a": not json', "notes.txt", PLAIN),
        (b"{a set of words}", "notes", PLAIN),
        (b"[1] A reference", "notes", PLAIN),
        (b"a: b", "data.json", JSON),
        (MAIL, "mail", EMAIL),
        (MAIL, "mail.txt", EMAIL),
        (MAIL.replace(b"\n", b"\r\n"), "mail.eml", EMAIL),
        (b"From a@b Mon Jan 1 00:00:00 2024\n" + MAIL, "box.mbox", EMAIL),
        (b"MIME-Version: 1.0\n\n<html>", "page.mht", EMAIL),
        (b"Note: this\nAnd: that\n", "notes.txt", PLAIN),
        (b"no headers at all", "mail.eml", PLAIN),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000\nx", "talk", SUBTITLES),
        (b"1\n00:00:00,000 --> 00:00:01,000\nx", "talk.srt", SUBTITLES),
        (b"a\tb\n1\t2\n", "table.tsv", TSV),
        (b"import os\n", "tool.py", "text/x-python"),
        (b"<html><?php echo 1 ?>", "index.php", "text/x-php"),
        (b"FROM x\n", "Dockerfile", "text/x-dockerfile"),
        (b"#!/usr/bin/env bash\necho", "tool", "text/x-shell"),
        (b"<p>x</p>", "part.htm", HTML),
        (b"<h1 align=center>x</h1>", "README.md", MARKDOWN),
        (b"The PDF format starts with %PDF-1.7.", "about.txt", PLAIN),
        (b"a,b\n1,2\n", "table.csv", CSV),
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
        (b"a.txt".ljust(257, b"\0") + b"ustar\x0000", "all.tar", "a tar archive"),
        (b"\x1f\x8b\x08\x00\x00\x00", "a.tar.gz", "gzip"),
        (bytes(range(256)) * 4, "thing.dat", "binary"),
        (b"MZ" + bytes(2046), "setup.exe", "a program"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_can(head: bytes, name: str, seems: str) -> None:
    with pytest.raises(UnsupportedType, match=seems) as caught:
        media_type(head, name)
    assert name in caught.value.message
    if "archive" in seems or seems == "gzip":
        assert "unpack it" in caught.value.message
    else:
        assert all(known in caught.value.message for known in NAMES.values())


def test_comments_before_html_are_read_in_linear_time() -> None:
    assert media_type(b"<!---->" * (SNIFF_BYTES // 7), "x.txt") == PLAIN


def test_every_loader_has_a_name_and_resolves() -> None:
    assert set(LOADERS.names()) == set(NAMES)
    for name in LOADERS.names():
        loader = LOADERS.get(name)()
        assert callable(loader.page_count)
        assert callable(loader.pages)
