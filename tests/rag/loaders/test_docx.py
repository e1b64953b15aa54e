from pathlib import Path

import pytest

from app.rag.loaders.docx import Docx
from app.rag.pages import ParseError
from app.rag.readers import archive
from tests import documents
from tests.documents import STRICT, docx, paragraph

STYLES = """<w:styles xmlns:w="x"><w:style w:styleId="berschrift2"><w:name w:val="heading 2"/></w:style>
<w:style w:styleId="Own"><w:name w:val="Own"/><w:basedOn w:val="berschrift2"/></w:style>
<w:style w:styleId="Dots"><w:name w:val="List Bullet"/><w:pPr><w:numPr><w:numId w:val="4"/></w:numPr></w:pPr></w:style>
<w:style w:styleId="A"><w:basedOn w:val="B"/></w:style>
<w:style w:styleId="B"><w:basedOn w:val="A"/></w:style></w:styles>"""
NOTES = """<w:footnotes xmlns:w="x">
<w:footnote w:id="2"><w:p><w:r><w:t>The note.</w:t></w:r></w:p></w:footnote></w:footnotes>"""


def pages_of(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    return [page.text for page in Docx().pages(path, 1)]


def row(*cells: str) -> str:
    return "<w:tr>" + "".join(f"<w:tc>{cell}</w:tc>" for cell in cells) + "</w:tr>"


def style(name: str) -> str:
    return f'<w:pStyle w:val="{name}"/>'


@pytest.mark.parametrize("namespace", [documents.W, STRICT])
def test_headings_lists_tables_and_notes(tmp_path: Path, namespace: str) -> None:
    body = (
        paragraph("Title", style("berschrift2"))
        + paragraph("Derived", style("Own"))
        + paragraph("Circle", style("A"))
        + paragraph("Outline", '<w:outlineLvl w:val="2"/>')
        + paragraph("one", style("Dots"))
        + paragraph("two", '<w:numPr><w:numId w:val="1"/></w:numPr>')
        + '<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/></w:r><w:r><w:tab/><w:t>goes on.</w:t></w:r></w:p>'
        + "<w:tbl>"
        + row(paragraph("a"), paragraph("b") + paragraph("c"))
        + row(paragraph("d"), paragraph("e"))
        + "</w:tbl>"
    )
    parts = {"styles.xml": ("styles", STYLES), "footnotes.xml": ("footnotes", NOTES)}
    (page,) = pages_of(tmp_path / "a.docx", docx(body, namespace=namespace, parts=parts))
    headings, items = "## Title\n\n## Derived\n\nCircle\n\n### Outline", "- one\n- two"
    assert page == f"{headings}\n\n{items}\n\nText\tgoes on.\n\nThe note.\n\n| a | b c |\n| --- | --- |\n| d | e |"


def test_a_cell_that_is_merged_with_the_one_above_repeats_it(tmp_path: Path) -> None:
    first, more = '<w:tcPr><w:vMerge w:val="restart"/></w:tcPr>', "<w:tcPr><w:vMerge/></w:tcPr>"
    rows = row(paragraph("Name"), paragraph("Mark")) + row(first + paragraph("Ann"), paragraph("1"))
    body = f"<w:tbl>{rows}{row(more + paragraph(''), paragraph('2'))}</w:tbl>"
    (page,) = pages_of(tmp_path / "a.docx", docx(body))
    assert page.split("\n")[2:] == ["| Ann | 1 |", "| Ann | 2 |"]


def test_controls_boxes_insertions_and_deletions(tmp_path: Path) -> None:
    box = f"<w:txbxContent>{paragraph('in a box')}</w:txbxContent>"
    body = (
        f"<w:sdt><w:sdtPr/><w:sdtContent>{paragraph('in a control')}</w:sdtContent></w:sdt>"
        "<w:p><w:r><w:t>kept</w:t></w:r><w:ins><w:r><w:t> added</w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText> gone</w:delText><w:t> gone</w:t></w:r></w:del>"
        f"<w:r><AlternateContent><Choice>{box}</Choice><Fallback>{box}</Fallback></AlternateContent></w:r></w:p>"
    )
    assert pages_of(tmp_path / "a.docx", docx(body)) == ["in a control\n\nkept added\n\nin a box"]


def test_files_and_charts_inside_the_document(tmp_path: Path) -> None:
    body = '<w:altChunk r:id="part.html"/><w:p><w:r><chart r:id="chart1.xml"/></w:r></w:p><w:altChunk r:id="missing"/>'
    chart = (
        "<chart><title><t>Sales</t></title><ser><tx><v>2024</v></tx><cat><pt idx='0'><v>May</v></pt></cat>"
        "<val><pt idx='0'><v>7</v></pt></val></ser></chart>"
    )
    parts = {
        "part.html": ("aFChunk", "<h1>Inside</h1><p>text"),
        "chart1.xml": ("chart", chart),
        "header1.xml": ("header", "<hdr><p><r><t>Our</t></r><tab/><r><t>header</t></r></p></hdr>"),
        "header2.xml": ("header", "<hdr><p><r><t>Our header</t></r></p></hdr>"),
        "footer1.xml": ("footer", "<ftr><p><instrText>PAGE</instrText><r><t>1</t></r></p></ftr>"),
    }
    text = "# Inside\n\ntext\n\nSales\n\n|  | 2024 |\n| --- | --- |\n| May | 7 |\n\nOur header"
    assert pages_of(tmp_path / "a.docx", docx(body, parts=parts)) == [text]


def test_page_breaks_start_pages_and_words_echo_of_them_does_not(tmp_path: Path) -> None:
    body = (
        '<w:p><w:r><w:t>one</w:t><w:br w:type="page"/></w:r></w:p>'
        "<w:p><w:r><w:lastRenderedPageBreak/><w:t>two</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>still two, then </w:t></w:r><w:r><w:lastRenderedPageBreak/><w:t>three</w:t></w:r></w:p>"
        + paragraph("four", '<w:pageBreakBefore/><w:outlineLvl w:val="0"/>')
        + "<w:tbl>"
        + row(paragraph("a"), "<w:p><w:r><w:lastRenderedPageBreak/><w:t>b</w:t></w:r></w:p>")
        + "</w:tbl>"
    )
    pages = pages_of(tmp_path / "a.docx", docx(body))
    assert [page.strip() for page in pages] == ["one", "two\n\nstill two, then", "three", "# four", "| a | b |"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "encrypted"),
        (docx(paragraph("text"))[:300], "damaged"),
        (documents.zip_of({"a.txt": b"a"}), "damaged"),
        (docx("<w:p></w:r>"), "damaged"),
        (docx("", parts={"styles.xml": ("styles", '<?xml version="1.0" encoding="xTF-8"?><w/>')}), "damaged"),
        (docx(paragraph("&x;"), doctype='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>'), "damaged"),
        (docx(paragraph("&b;"), doctype='<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;">]>'), "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a.docx", data)
    assert caught.value.code == code


def test_a_zip_bomb_is_stopped(tmp_path: Path) -> None:
    piece = paragraph("A" * (1 << 20))
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a.docx", docx(piece for _ in range((archive.MAX_UNPACKED_BYTES >> 20) + 1)))
    assert caught.value.code == "too_much_text"


def test_depth_does_not_matter(tmp_path: Path) -> None:
    deep = "<w:sdt>" * 20_000 + "<w:tbl><w:tr><w:tc>" * 2_000 + paragraph("deep")
    body = deep + "</w:tc></w:tr></w:tbl>" * 2_000 + "</w:sdt>" * 20_000
    assert pages_of(tmp_path / "a.docx", docx(body)) == ["deep"]
