from pathlib import Path

import pytest

from app.rag.loaders.html import Html
from app.rag.pages import ParseError

PAGE = """<!DOCTYPE html><html><head><title>The  title</title><style>p {}</style></head><body>
<nav>Menu</nav><h1>Chapter &amp; verse</h1><script>alert(1)</script>
<p>One <b>bold</b>
   word<br>next line.</p>
<ul><li>first<li>second <p>inside</p><ul><li>deeper</ul></ul>
<table><tr><th>Name<th>Age</tr><tr><td>Ada<td><p>36</p><p>years</p></tr></table>
<table><tr><td><h2>Layout</h2>only</td></tr></table>
<pre>  kept
    indent</pre><noscript>hidden</noscript></body></html>"""


def text_of(path: Path, markup: str | bytes) -> str:
    path.write_bytes(markup if isinstance(markup, bytes) else markup.encode())
    return "\f".join(page.text for page in Html().pages(path, 1))


def test_the_structure_of_a_page_is_kept(tmp_path: Path) -> None:
    text = text_of(tmp_path / "page.html", PAGE)
    assert text.replace("\xa0", " ").split("\n") == [
        *("# The title", "", "Menu", "", "# Chapter & verse", "", "One bold word", "next line.", ""),
        *("- first", "- second", "inside", "- deeper", ""),
        *("| Name | Age |", "| --- | --- |", "| Ada | 36 years |", ""),
        *("## Layout", "", "only", "", "```", "  kept", "    indent", "```"),
    ]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (  # headers above each other, spans of rows and columns
            """<table><thead><tr><th rowspan=2>Name<th colspan=2>Size<tr><th>m<th>ft</thead>
            <tr><td rowspan=2>A<td>1<td>3<tr><td>2<td>6<tr><td colspan=2>all|<td>9</table>""",
            "| Name | Size m | Size ft |\n| --- | --- | --- |\n| A | 1 | 3 |\n| A | 2 | 6 |\n| all\\| |  | 9 |",
        ),
        (
            "<table><caption>Ducks</caption><tr><th colspan=2>All of them<tr><th>a<th>b<tr><td>1<td>2</table>",
            "Ducks\n\nAll of them\n\n| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        (
            "<table><tr><td>a<td><table><tr><td>x<td>y<tr><td>z</table><tr><td>b<td>c</table>",
            "| a | x, y; z |\n| --- | --- |\n| b | c |",
        ),
        (
            "<table><tr><td colspan=99999999999>a<td rowspan=-1>b<tr><td>c<td><td>d</table>",
            "| a |  |\n| --- | --- |\n| c | d |",
        ),
        ("<table><tr><td>Menu<td>" + "<p>Old page." * 30 + "</table>", "Menu\n\n" + "\n\n".join(["Old page."] * 30)),
        ("<ol start=7><li>x<li hidden>no<li>y<ul><li>z</ul><li>w</ol>", "7. x\n8. y\n- z\n9. w"),
        ("<p>a<img alt='a duck'>b</p><p hidden>no</p>", "a a duck b"),
        ("<p>see data:image/png;base64," + "iVBORw0KGgo" * 20 + " end", "see end"),
        ("<td>a cell without</td> a table", "a cell without a table"),
        ('<iframe srcdoc="<p>inner&lt;b>">', "inner"),
    ],
)
def test_tables_and_lists_are_readable(tmp_path: Path, markup: str, expected: str) -> None:
    assert text_of(tmp_path / "page.html", markup) == expected


def test_a_title_that_the_page_repeats_is_not_doubled(tmp_path: Path) -> None:
    assert text_of(tmp_path / "page.html", "<title>Once</title><h1>Once</h1><p>text") == "# Once\n\ntext"


@pytest.mark.parametrize("charset", ["shift_jis", "euc-jp"])
def test_the_declared_charset_is_used(tmp_path: Path, charset: str) -> None:
    markup = f'<html><meta charset="{charset}"><body><p>吾輩は猫である</p>'.encode(charset)
    assert text_of(tmp_path / "page.html", markup) == "吾輩は猫である"


def test_depth_does_not_matter(tmp_path: Path) -> None:
    assert text_of(tmp_path / "deep.html", "<div>" * 3000 + "deep" + "</div>" * 3000) == "deep"
    assert text_of(tmp_path / "deep.html", "<table><tr><td>" * 1500 + "deep") == "deep"


def test_depth_beyond_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParseError, match="too deeply"):
        text_of(tmp_path / "deep.html", "<div>" * 40_000)
    assert len(text_of(tmp_path / "flat.html", "<p><b>x</b><br>" * 20_000)) > 40_000


def test_an_empty_page_has_no_text(tmp_path: Path) -> None:
    assert text_of(tmp_path / "page.html", "<html><body><script>x</script></body></html>") == ""
