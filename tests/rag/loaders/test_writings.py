"""Texts in OpenDocument format, books, and old Word files."""

import struct
from pathlib import Path

import pytest

from app.rag.loaders import DOC, EPUB, LOADERS, ODT
from app.rag.pages import Page, ParseError
from tests.documents import zip_of
from tests.office import ODF, doc, epub, odf
from tests.ole import ole

STYLES = (
    '<style:style style:name="P1" style:parent-style-name="Title"/>'
    '<style:style style:name="P2"><style:paragraph-properties fo:break-before="page"/></style:style>'
)
FOOTER = f"<x {ODF}><style:footer><text:p>Our <text:tab/>footer</text:p></style:footer></x>"


def pages_of(path: Path, data: bytes, kind: str) -> list[Page]:
    path.write_bytes(data)
    return list(LOADERS.get(kind)().pages(path, 1))


def test_open_document_texts(tmp_path: Path) -> None:
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    wide = '<table:table-cell table:number-columns-spanned="2"><text:p>Both</text:p></table:table-cell>'
    note = "<text:note><text:note-citation>1</text:note-citation><text:p>The note.</text:p></text:note>"
    comment = "<office:annotation><dc:creator>x</dc:creator><text:p>Really?</text:p></office:annotation>"
    body = (
        "<text:tracked-changes><text:deletion><text:p>gone</text:p></text:deletion></text:tracked-changes>"
        '<text:p text:style-name="P1">Top</text:p><text:h text:outline-level="2">Part</text:h>'
        f'<text:p>One<text:s text:c="2"/>line{note}<text:line-break/>and <text:span>more</text:span>{comment}.</text:p>'
        "<text:list><text:list-item><text:p>a</text:p></text:list-item>"
        "<text:list-item><text:p>b</text:p></text:list-item></text:list><table:table><table:table-header-rows>"
        f"<table:table-row>{wide}<table:covered-table-cell/></table:table-row></table:table-header-rows>"
        f"<table:table-row>{cell.format('1')}{cell.format('2')}</table:table-row></table:table>"
        '<text:p>before<text:soft-page-break/>after</text:p><text:p text:style-name="P2">third</text:p>'
        '<text:p><draw:object xlink:href="./Object 1"/><draw:object xlink:href="./"/></text:p>'
    )
    formula = "<math><mi>x</mi><mo>=</mo><annotation>gone</annotation></math>"
    parts = {"styles.xml": FOOTER, "Object 1/content.xml": formula}
    pages = pages_of(tmp_path / "a", odf(body, styles=STYLES, parts=parts), ODT)
    assert [page.text.split("\n") for page in pages] == [
        [
            *("# Top", "", "## Part", "", "One  line", "and more.", "", "The note.", "", "Comment: Really?", ""),
            *("- a", "- b", "", "| Both | Both |", "| --- | --- |", "| 1 | 2 |", "", "before"),
        ],
        ["after"],
        ["third", "", "x=", "", "Our footer"],
    ]


def test_books_have_chapters(tmp_path: Path) -> None:
    chapters = {"cover.html": "<img>", "a.html": "<h1>Ignored &nbsp;</h1><p>First.", "b.html": "<p>goes on"}
    long = "<h2>Own name</h2>" + "<p>word</p>" * 4000
    contents = '<nav><a href="a.html#x">Chapter <b>One</b></a><a href="a.html">Section</a></nav>'
    data = epub({**chapters, "c%20d.html": "other"}, contents=contents, parts={"OEBPS/c d.html": long})
    path = tmp_path / "a"
    path.write_bytes(data)
    pages = list(LOADERS.get(EPUB)().pages(path, 1))
    assert [page.label for page in pages] == ["Chapter One", "Chapter One", "Own name, part 1", "Own name, part 2"]
    assert [page.text for page in pages[:2]] == ["# Ignored \xa0\n\nFirst.", "goes on"]


LOCK = '<encryption><EncryptedData><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'


def test_mangled_fonts_do_not_lock_a_book(tmp_path: Path) -> None:
    fonts = LOCK.format("http://www.idpf.org/2008/embedding")
    data = epub({"a.html": "<p>text"}, parts={"META-INF/encryption.xml": fonts})
    assert [page.text for page in pages_of(tmp_path / "a", data, EPUB)] == ["text"]


IN_TABLE, ROW_END, LISTED, NEW_PAGE = b"\x16\x24\x01", b"\x16\x24\x01\x17\x24\x01", b"\x0b\x46\x01\x00", b"\x07\x24\x01"


@pytest.mark.parametrize("narrow", [True, False])
def test_old_word_files(tmp_path: Path, narrow: bool) -> None:
    said = [
        *(
            ("Head é\r", b"\x01\0"),
            ("Text \x13 HYPERLINK x \x14shown\x15\x05.\r", b"\0\0"),
            ("item\r", b"\0\0" + LISTED),
        ),
        *(("a\x07", b"\0\0" + IN_TABLE), ("b\x07", b"\0\0" + IN_TABLE), ("\x07", b"\0\0" + ROW_END)),
        *(("c\x07", b"\0\0" + IN_TABLE), ("\x07", b"\0\0" + IN_TABLE), ("\x07", b"\0\0" + ROW_END)),
        *(("next\r", b"\0\0" + NEW_PAGE), ("last\x0c", b"\0\0"), ("third\r", b"\0\0")),
    ]
    text, marks = "".join(text for text, _ in said), [mark for _, mark in said]
    data = doc(text, narrow=narrow, marks=marks, after={1: "\x02 A note.\r", 4: "Why?\r"})
    pages = pages_of(tmp_path / "a", data, DOC)
    assert [page.text.split("\n") for page in pages] == [
        ["# Head é", "", "Text shown.", "", "- item", "", "| a | b |", "| --- | --- |", "| c |  |"],
        ["next", "", "last"],
        ["third", "", "A note.", "", "Comment: Why?"],
    ]


def test_old_word_files_without_marks_still_have_tables(tmp_path: Path) -> None:
    (page,) = pages_of(
        tmp_path / "a", doc("x 😀\ra\x07b\x07\x07c\x07d\x07\x07end\r".replace("😀", "\ud83d\ude00")), DOC
    )
    assert page.text == "x 😀\n\n| a | b |\n| --- | --- |\n| c | d |\n\nend"


def test_word_95_files(tmp_path: Path) -> None:
    body = "Привет\r".encode("cp1251")
    header = bytearray(512)
    struct.pack_into("<HH2xH2xH", header, 0, 0xA5DC, 104, 0x0419, 0)
    struct.pack_into("<II", header, 0x18, 512, 512 + len(body))
    struct.pack_into("<i", header, 0x34, len(body))
    data = ole({"WordDocument": bytes(header) + body})
    assert [page.text for page in pages_of(tmp_path / "a", data, DOC)] == ["Привет"]


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (doc("x\r", flags=0x100), DOC, "encrypted"),
        (doc("x\r")[:2000], DOC, "damaged"),
        (b"no document", DOC, "damaged"),
        (odf("", parts={"META-INF/manifest.xml": "<manifest:encryption-data/>"}), ODT, "encrypted"),
        (odf("<text:p>"), ODT, "damaged"),
        (zip_of({"content.xml": b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]><x>&b;</x>'}), ODT, "damaged"),
        (
            zip_of({"content.xml": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'}),
            ODT,
            "damaged",
        ),
        (odf("<text:p>" * 12_000 + "</text:p>" * 12_000), ODT, "damaged"),
        (zip_of({"a.txt": b"a"}), ODT, "damaged"),
        (zip_of({"mimetype": b"application/epub+zip"}), EPUB, "damaged"),
        (epub({}, parts={"META-INF/encryption.xml": LOCK.format("aes128-cbc")}), EPUB, "encrypted"),
        (epub({}, parts={"OEBPS/book.opf": '<!DOCTYPE p [<!ENTITY a "b">]><package/>'}), EPUB, "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, kind: str, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a", data, kind)
    assert caught.value.code == code
    assert len(caught.value.message) > 20
