from pathlib import Path

import pytest

from app.rag.loaders.rtf import Rtf

FONTS = (
    rb"{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset128 MS Mincho{\*\falt x};}{\f2\fcharset204 Cyr;}"
    rb"{\f3\fcharset2 Symbol;}{\f4\fcharset238 CE;}}"
)


def text_of(path: Path, body: bytes, before: bytes = rb"\ansi\ansicpg1252\deff0") -> str:
    path.write_bytes(rb"{\rtf1" + before + body + b"}")
    return "\f".join(page.text for page in Rtf().pages(path, 1))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb" Plain \b bold\b0  words\par\par Second", "Plain bold words\n\nSecond"),
        (rb" caf\'e9 \emdash  \lquote x\rquote  a\~b\_c\-d \{\}\\", "café — ‘x’ a b-cd {}\\"),
        (rb"\uc1 \u8364? \u-10240?\u-8398? \uc2\u228\'84\'84x", "€ 𐌲 äx"),
        (FONTS + rb"\f1 \'93\'fa\'96\'7b\f2 \'cc\'e8\f0 \'e9", "日本Миé"),
        (FONTS + rb"\f1 \'83e\'83X\'83g", "テスト"),
        (FONTS + rb"{\f4 \'b3\'f3d\'9f} \'b3", "łódź ³"),
        (
            rb"{\stylesheet{\s1 heading 1;}{\s2 Title;}}\pard\s1 One\par\pard\outlinelevel1 Two\par\pard Text",
            "# One\n\n## Two\n\nText",
        ),
        (
            rb"\trowd\pard\intbl A\cell B|\cell\row\trowd\intbl 1\par 2\cell c\cell\row\pard After",
            "| A | B\\| |\n| --- | --- |\n| 1 2 | c |\n\nAfter",
        ),
        (
            rb"{\listtext\'b7\tab}item{\footnote{\super 1} The note.} goes on\par\pard next",
            "- item goes on\n\n1 The note.\n\nnext",
        ),
        (rb"{\pntext 1.\tab}first\par{\pntext 2.\tab}second\par", "1. first\n2. second"),
        (rb"{\field{\*\fldinst HYPERLINK x}{\fldrslt a link}}{\*\unknown no}{\info{\title no}}{\header no}", "a link"),
        (rb"{\pict\wmetafile8 0102}{\*\shppict{\pict\bin5 {}\x}ab}}kept", "kept"),
        (rb"one\page two", "one\ftwo"),
        (rb"{\v hidden}shown{\deleted gone}", "shown"),
        (rb"{\*\htmltag64 <p>}\htmlrtf x\htmlrtf0 words", "words"),
        (rb"}}}} after too many braces", "after too many braces"),
        (rb"{{{{ never closed", "never closed"),
        (rb"\u99999999 x\bin99999999 ", None),
        (rb"\cell\row\cell\row lone", "lone"),
    ],
)  # fmt: skip
def test_rtf_is_read(tmp_path: Path, body: bytes, expected: str | None) -> None:
    text = text_of(tmp_path / "x.rtf", body)
    assert expected is None or text == expected


@pytest.mark.parametrize(
    ("before", "expected"),
    [(rb"\ansi\ansicpg1251", "Мир"), (rb"\mac", "ÃË\uf8ff"), (rb"\pc", "╠Φ≡")],
)
def test_the_code_page_of_the_document(tmp_path: Path, before: bytes, expected: str) -> None:
    assert text_of(tmp_path / "x.rtf", rb" \'cc\'e8\'f0", before) == expected


def test_depth_does_not_matter(tmp_path: Path) -> None:
    assert text_of(tmp_path / "x.rtf", b"{" * 100_000 + b"deep") == "deep"
