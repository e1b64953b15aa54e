"""How texts and queries become index terms."""

import re
import sqlite3
from collections import Counter
from pydoc_data.topics import topics

import pytest

from app.crud.stemmer import stem
from app.crud.terms import MAX_QUERY_TERMS, MAX_TERM_CHARS, analyse, query_terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The harvest of the Apples", ["harvest", "appl"]),
        ("COVID-19, 2.5 mg", ["covid", "19", "2", "5", "mg"]),
        ("naïve Straße ﬁles", ["naiv", "strass", "file"]),
        ("Привет, ёлка", ["привет", "елка"]),
        ("العَرَبِيَّة أحمد", ["العربية", "احمد"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("東京大学", ["東京", "京大", "大学"]),
        ("水", ["水"]),
        ("東京2020", ["東京", "2020"]),
        ("한국어 검색", ["한국", "국어", "검색"]),
        ("ภาษา", ["ภา", "าษ", "ษา"]),
        ("ガギ", ["ガギ"]),
        ("snake_case", ["snake", "case"]),
        ("apple apple", ["appl", "appl"]),
        ("the of ... ---", []),
        ("", []),
    ],
)
def test_terms_of_a_text(text: str, terms: list[str]) -> None:
    assert analyse(text) == terms


def test_composed_and_decomposed_accents_are_one() -> None:
    assert analyse("Cafe\u0301") == analyse("Caf\u00e9") == analyse("CAFE")


def test_terms_and_queries_are_bounded() -> None:
    assert analyse("x" * 10_000) == ["x" * MAX_TERM_CHARS]
    many = query_terms(" ".join(f"word{n}" for n in range(100_000)))
    assert len(many) == MAX_QUERY_TERMS
    assert many["word0"] == 1


def test_a_repeated_word_of_a_query_counts_more() -> None:
    assert query_terms("rain and rain again in May") == Counter({"rain": 2, "mai": 1})


def test_stems_are_those_of_the_porter_tokenizer() -> None:
    words = sorted({word for text in topics.values() for word in re.findall("[a-z]{4,}", text.lower())})
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(word, tokenize='porter ascii')")
    connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, instance)")
    connection.executemany("INSERT INTO words (rowid, word) VALUES (?, ?)", enumerate(words))
    expected = {words[row]: found for row, found in connection.execute("SELECT doc, term FROM stems")}
    connection.close()
    assert len(words) > 2000
    assert {word: stem(word) for word in words} == expected
