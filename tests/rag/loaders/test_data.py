"""JSON, XML, subtitles and programs."""

import json
from pathlib import Path

import pytest

from app.rag.loaders.code import Code
from app.rag.loaders.json import Json
from app.rag.loaders.subtitles import Subtitles
from app.rag.loaders.xml import Xml
from app.rag.pages import Loader, Page, ParseError


def pages(loader: Loader, path: Path, text: str | bytes) -> list[Page]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert loader.page_count(path) is not None
    return list(loader.pages(path, 1))


def text_of(loader: Loader, path: Path, text: str | bytes) -> str:
    return "\f".join(page.text for page in pages(loader, path, text))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"name": "Ada", "address": {"city": "London"}, "tags": ["a", "b"], "none": None, "on": True},
            "name: Ada\naddress:\n  city: London\ntags: a, b\nnone: null\non: true",
        ),
        ({"list": [{"a": 1, "b": {"c": []}}, "x"]}, "list:\n  -\n    a: 1\n    b:\n      c: []\n  - x"),
        ([{"a": 1, "b": "x"}, {"a": 2}], "| a | b |\n| --- | --- |\n| 1 | x |\n| 2 |  |"),
        ([{"a": {"deep": 1}}, {"a": 2}], "a:\n  deep: 1\n\na: 2\n"),
        ([1, "two", None], "1\ntwo\nnull"),
        ("words", "words"),
        ({}, "{}"),
    ],
)
def test_json_keeps_its_keys(tmp_path: Path, value: object, expected: str) -> None:
    assert text_of(Json(), tmp_path / "x.json", json.dumps(value)).rstrip() == expected.rstrip()


def test_numbers_stay_as_they_are_written(tmp_path: Path) -> None:
    text = text_of(Json(), tmp_path / "x.json", '{"a": 1.10, "b": 1e400, "c": ' + "9" * 5000 + ', "d": NaN}')
    assert text.startswith("a: 1.10\nb: 1e400\nc: 999")
    assert text.endswith("d: NaN")


def test_json_lines_are_a_table_or_records(tmp_path: Path) -> None:
    rows = "\n".join(f'{{"n": {n}, "square": {n * n}}}' for n in range(1, 601))
    first, second = pages(Json(), tmp_path / "x.jsonl", rows)
    assert (first.label, second.label) == ("records 1-500", "records 501-600")
    assert second.text.startswith("| n | square |\n| --- | --- |\n| 501 | 251001 |")
    mixed = pages(Json(), tmp_path / "y.jsonl", '{"a": {"b": 1}}\nnot json\n')
    assert [(page.label, page.text) for page in mixed] == [("records 1-2", "a:\n  b: 1\n\nnot json")]


@pytest.mark.parametrize("text", ["{broken", "[1, 2", '{"a": 1,}', "// comment\n{}", "[" * 100_000])
def test_what_is_no_json_is_read_as_text(tmp_path: Path, text: str) -> None:
    assert text_of(Json(), tmp_path / "x.json", text).replace("\f", "") == text


def test_deep_json_is_set_in_no_further(tmp_path: Path) -> None:
    text = text_of(Json(), tmp_path / "x.json", '{"a":' * 900 + "1" + "}" * 900)
    assert text.count("a:") == 900
    assert len(text) < 30_000


def test_a_notebook_is_its_cells(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "Words"]},
        {"cell_type": "code", "source": "1 + 1", "outputs": [{"data": {"text/plain": ["2"]}}, {"text": "said"}, 3]},
    ]
    text = text_of(Json(), tmp_path / "x.ipynb", json.dumps({"nbformat": 4, "cells": cells}))
    assert text == "# Title\nWords\n\n```\n1 + 1\n```\n\n2\n\nsaid"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        (
            '<catalog xmlns="u"><book id="b1" xml:lang="en"><author>Ada</author><price>5</price></book></catalog>',
            "catalog\n  book (id: b1, lang: en)\n    author: Ada\n    price: 5",
        ),
        (
            """<!DOCTYPE article PUBLIC "-//OASIS//DTD" "x.dtd"><article><title>On X</title>
            <para>One <b>bold</b>\n word</para><para><i>Slanted</i> first.</para></article>""",
            "article\n  # On X\n  One bold word\n  Slanted first.",
        ),
        ("<a><![CDATA[x < y]]></a>", "a: x < y"),
        ("<rss><description>&lt;p&gt;One&lt;br&gt;two&lt;/p&gt;</description></rss>", "rss\n  description: One\n  two"),
        ("<l><item>one</item><item>two<b>!</b></item><empty/><set x='1'/></l>", "l\n  one\n  two!\n  set (x: 1)"),
        ("<a><b>cut off", "cut off"),
        ("<a>broken &entity; and <!-- no --> <b>tags</a>", "broken &entity; and\ntags"),
    ],
)  # fmt: skip
def test_xml_is_readable(tmp_path: Path, markup: str, expected: str) -> None:
    assert text_of(Xml(), tmp_path / "x.xml", markup) == expected


@pytest.mark.parametrize("charset", ["utf-16", "koi8-r", "cp1251"])
def test_xml_is_read_in_the_encoding_that_it_declares(tmp_path: Path, charset: str) -> None:
    markup = f'<?xml version="1.0" encoding="{charset}"?><p>Съешь ещё этих булок</p>'.encode(charset)
    assert text_of(Xml(), tmp_path / "x.xml", markup) == "Съешь ещё этих булок"


def test_entities_are_refused_with_a_reason(tmp_path: Path) -> None:
    for declared in ('<!ENTITY a "123">', '<!ENTITY a SYSTEM "file:///etc/passwd">', '<!ENTITY % a "x">'):
        with pytest.raises(ParseError, match="entities"):
            text_of(Xml(), tmp_path / "x.xml", f"<!DOCTYPE x [{declared}]><x>&a;</x>")


@pytest.mark.parametrize("markup", ["<a>" * 30_000 + "deep", "<a>" * 5000 + "deep" + "</a>" * 5000, "<!--" * 50_000])
def test_depth_of_xml_does_not_matter(tmp_path: Path, markup: str) -> None:
    text = text_of(Xml(), tmp_path / "x.xml", markup)
    assert "deep" in text or "<!--" in text


def test_subtitles_are_what_is_said(tmp_path: Path) -> None:
    vtt = (
        "WEBVTT - title\n\nNOTE nobody\nsays this\n\nintro\n00:00.000 --> 00:02.000 align:start\n<v Roger>Hello "
        "<i>all</i>\n\n00:02.000 --> 00:04.000\nTom &amp; I\n\n00:04.000 --> 00:05.000\nTom &amp; I\n\n"
        "00:10:01.000 --> 00:10:02.500\nLater"
    )
    first, second = pages(Subtitles(), tmp_path / "x.vtt", vtt)
    assert (first.label, first.text) == ("00:00:00-00:00:05", "Roger: Hello all\nTom & I")
    assert (second.label, second.text) == ("00:10:01-00:10:02", "Later")
    srt = "1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}One\r\nline\r\n\r\n2\r\n00:00:03,5 --> 00:00:04,0\r\nTwo\r\n"
    assert text_of(Subtitles(), tmp_path / "x.srt", srt) == "One\nline\nTwo"


def test_programs_keep_their_lines(tmp_path: Path) -> None:
    code = "\n".join(f"def f{n}():\n\treturn {n}" for n in range(300))
    first, second = pages(Code(), tmp_path / "x.py", code)
    assert (first.label, second.label) == ("lines 1-400", "lines 401-600")
    assert first.text + "\n" + second.text == code
