"""Titles and the likeness of two requests."""

import pytest

from app.schemas.chat import ChatRequest
from app.services.turns import TITLE_CHARS, UNTITLED, body_hash, title_of


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What is it?", "What is it?"),
        ("  What\t is  it?\nAnd why?", "What is it?"),
        ("\n\n second line", "second line"),
        ("\u200b", "\u200b"),
        ("", UNTITLED),
    ],
)
def test_titles(question: str, title: str) -> None:
    assert title_of(question) == title


@pytest.mark.parametrize("question", ["word " * 100, "x" * 1000, "中" * 1000])
def test_long_titles_are_cut(question: str) -> None:
    title = title_of(question)
    assert len(title) <= TITLE_CHARS
    assert title.endswith("…")
    assert question.startswith(title[:-1])


def request(**body: object) -> ChatRequest:
    return ChatRequest.model_validate(body)


def test_the_same_body_is_the_same_in_any_order() -> None:
    assert body_hash(request(message="a", use_rag=True)) == body_hash(request(use_rag=True, message="a"))


@pytest.mark.parametrize(
    "other", [{"message": "b"}, {"message": "a", "parent_id": None}, {"message": "a", "temperature": 0}]
)
def test_other_bodies_are_others(other: dict[str, object]) -> None:
    assert body_hash(request(message="a")) != body_hash(request(**other))
