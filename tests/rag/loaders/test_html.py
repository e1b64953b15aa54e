from pathlib import Path

import pytest

from app.rag.loaders.html import Html

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
        *("- first", "- second", "inside", "- deeper", "Name | Age", "Ada | 36 years", ""),
        *("## Layout", "", "only", "", "  kept", "    indent"),
    ]


def test_a_title_that_the_page_repeats_is_not_doubled(tmp_path: Path) -> None:
    assert text_of(tmp_path / "page.html", "<title>Once</title><h1>Once</h1><p>text") == "# Once\n\ntext"


@pytest.mark.parametrize("charset", ["shift_jis", "euc-jp"])
def test_the_declared_charset_is_used(tmp_path: Path, charset: str) -> None:
    markup = f'<html><meta charset="{charset}"><body><p>吾輩は猫である</p>'.encode(charset)
    assert text_of(tmp_path / "page.html", markup) == "吾輩は猫である"


def test_depth_does_not_matter(tmp_path: Path) -> None:
    assert text_of(tmp_path / "deep.html", "<div>" * 3000 + "deep" + "</div>" * 3000) == "deep"
    assert text_of(tmp_path / "deep.html", "<table><tr><td>" * 1500 + "deep") == "deep"


def test_an_empty_page_has_no_text(tmp_path: Path) -> None:
    assert text_of(tmp_path / "page.html", "<html><body><script>x</script></body></html>") == ""
