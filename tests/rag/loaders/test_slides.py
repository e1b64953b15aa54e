from pathlib import Path

import pytest

from app.rag.loaders import LOADERS, ODP, PPT, PPTX
from app.rag.pages import Page, ParseError
from tests.office import odf, ppt, pptx, record, shape, slide, text_box, words

CHART = """<c:chartSpace xmlns:c="c" xmlns:a="a"><c:chart><c:title><a:p><a:t>Ducks</a:t></a:p></c:title>
<c:ser><c:tx><c:v>Fresh</c:v></c:tx><c:cat><c:pt idx="0"><c:v>2019</c:v></c:pt>
<c:pt idx="1"><c:v>2020</c:v></c:pt></c:cat>
<c:val><c:pt idx="0"><c:v>0.30000000000000004</c:v></c:pt><c:pt idx="1"><c:v>130</c:v></c:pt></c:val></c:ser>
<c:ser><c:tx><c:v>Salt</c:v></c:tx><c:val><c:pt idx="1"><c:v>95</c:v></c:pt></c:val></c:ser></c:chart></c:chartSpace>"""
TABLE = """<p:graphicFrame><p:nvPr><p:ph type="obj"/></p:nvPr><a:tbl><a:tblPr firstRow="1"/>
<a:tr><a:tc><a:p><a:t>Name</a:t></a:p></a:tc><a:tc gridSpan="2"><a:p><a:t>Class</a:t></a:p></a:tc>
<a:tc hMerge="1"><a:p><a:t>gone</a:t></a:p></a:tc></a:tr>
<a:tr><a:tc><a:p><a:t>Ann</a:t></a:p></a:tc>
<a:tc><a:p><a:t>1</a:t></a:p></a:tc><a:tc><a:p><a:t>a|b</a:t></a:p></a:tc></a:tr>
</a:tbl></p:graphicFrame>"""


def pages_of(path: Path, data: bytes, kind: str) -> list[Page]:
    path.write_bytes(data)
    loader = LOADERS.get(kind)()
    pages = list(loader.pages(path, 1))
    assert list(LOADERS.get(kind)().pages(path, 2)) == pages[1:]
    assert loader.page_count(path) == len(pages)
    return pages


def test_slides_have_titles_lists_groups_tables_and_charts(tmp_path: Path) -> None:
    first = slide(
        shape("before", kind=None),
        shape("The", "title", kind="title"),
        shape("one", "two", kind="body"),
        f"<p:grpSp><p:grpSp>{shape('grouped')}</p:grpSp></p:grpSp>",
        shape("7", kind="sldNum"),
        TABLE,
        '<p:graphicFrame><c:chart r:id="chart.xml"/></p:graphicFrame>',
        '<p:graphicFrame><d:relIds r:dm="data.xml"/></p:graphicFrame>',
        f"<mc:AlternateContent xmlns:mc='m'><mc:Choice>{shape('new')}</mc:Choice>"
        f"<mc:Fallback>{shape('old')}</mc:Fallback></mc:AlternateContent>",
    )
    notes = (
        f"<p:notes xmlns:p='p' xmlns:a='a'>{shape('Slide 1', kind='sldNum')}{shape('Say this.', kind='body')}</p:notes>"
    )
    parts = {
        "chart.xml": ("chart", CHART),
        "data.xml": ("diagramData", "<d:m xmlns:d='d' xmlns:a='a'><d:t><a:p><a:t>smart</a:t></a:p></d:t></d:m>"),
        "notes.xml": ("notesSlide", notes),
        "comment.xml": ("comments", "<p:l xmlns:p='p'><p:cm><p:text>Why?</p:text></p:cm></p:l>"),
    }
    (page, hidden) = pages_of(tmp_path / "a", pptx([first, slide(attributes='show="0"')], parts=parts), PPTX)
    assert (page.label, hidden.label) == ("Slide 1: The title", "Slide 2 (hidden)")
    assert page.text.split("\n") == [
        *("# The title", "", "before", "", "- one", "- two", "", "grouped", ""),
        *("| Name | Class | Class |", "| --- | --- | --- |", "| Ann | 1 | a\\|b |", "", "Ducks", ""),
        *("|  | Fresh | Salt |", "| --- | --- | --- |", "| 2019 | 0.3 |  |", "| 2020 | 130 | 95 |", ""),
        *("smart", "", "new", "", "Notes: Say this.", "", "Comment: Why?"),
    ]


def test_a_damaged_slide_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    good, bad = slide(shape("good")), "<p:sld"
    pages = pages_of(tmp_path / "a", pptx([bad, good]), PPTX)
    assert [(page.number, page.text, page.failure is None) for page in pages] == [(1, "", False), (2, "good", True)]
    with pytest.raises(ParseError, match="damaged"):
        pages_of(tmp_path / "a", pptx([bad, bad]), PPTX)


def test_depth_does_not_matter(tmp_path: Path) -> None:
    deep = "<p:grpSp>" * 20_000 + shape("deep") + "</p:grpSp>" * 20_000
    assert [page.text for page in pages_of(tmp_path / "a", pptx([slide(deep)]), PPTX)] == ["deep"]


def test_open_document_slides(tmp_path: Path) -> None:
    styles = (
        '<style:style style:name="h"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    body = (
        '<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>Plan</text:p></draw:text-box>'
        "</draw:frame>"
        "<draw:frame><draw:text-box><text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
        "</draw:text-box></draw:frame><presentation:notes><draw:frame><draw:text-box><text:p>Remember.</text:p>"
        '</draw:text-box></draw:frame></presentation:notes></draw:page><draw:page draw:style-name="h"/>'
    )
    pages = pages_of(tmp_path / "a", odf(body, kind="presentation", styles=styles), ODP)
    assert [(page.label, page.text) for page in pages] == [
        ("Slide 1: Plan", "# Plan\n\n- one\n\nNotes: Remember."),
        ("Slide 2 (hidden)", ""),
    ]


def test_old_slides_have_outlines_boxes_and_tables(tmp_path: Path) -> None:
    options = record(0xF122, b"\x9f\x03" + bytes(4), instance=1)
    cells = [("Class", (0, 0, 20, 10)), ("1", (0, 10, 10, 20)), ("2", (10, 10, 20, 20))]
    table = record(0xF003, [record(0xF004, [options]), *(text_box(words(t), anchor=place) for t, place in cells)])
    outline = [(0, "Title"), (1, "one\rtwo"), (4, "left over")]
    references = [text_box(record(0x0F9E, bytes([n, 0, 0, 0]))) for n in range(2)]
    data = ppt([([], [text_box(words("first"))]), (outline, [*references, text_box(words("*")), table])])
    pages = pages_of(tmp_path / "a", data, PPT)
    assert [(page.label, page.text) for page in pages] == [
        ("Slide 1", "first"),
        ("Slide 2: Title", "# Title\n\n- one\n- two\n\n| Class | Class |\n| --- | --- |\n| 1 | 2 |\n\nleft over"),
    ]


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (ppt([], token=0xF3D1C4DF), PPT, "encrypted"),
        (ppt([])[:700], PPT, "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), PPTX, "encrypted"),
        (odf("<x>", kind="presentation"), ODP, "damaged"),
        (pptx([])[:200], PPTX, "damaged"),
    ],
)
def test_bad_files_are_refused_with_a_reason(tmp_path: Path, data: bytes, kind: str, code: str) -> None:
    with pytest.raises(ParseError) as caught:
        pages_of(tmp_path / "a", data, kind)
    assert caught.value.code == code
