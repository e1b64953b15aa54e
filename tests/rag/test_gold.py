"""Folders of documents with questions: what is refused, with file and line."""

import json
from pathlib import Path

import pytest

from app.core.errors import ValidationFailed
from app.rag.gold import check_pages, load_documents


def questions(folder: Path, *lines: object) -> Path:
    (folder / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"_id": "q", "text": "?", "file": "none.txt", "pages": [1]}, "line 1: there is no file 'none.txt'"),
        ({"_id": "q", "text": "?", "file": "a.txt", "pages": [0]}, "line 1: a file and its pages, counted from 1"),
        ({"_id": "q", "text": "?", "file": "a.txt"}, "line 1: a file and its pages, counted from 1"),
        ({"_id": "q", "file": "a.txt", "pages": [1]}, "line 1: Object missing required field `text`"),
    ],
)
def test_questions_that_cannot_be_used(tmp_path: Path, line: object, said: str) -> None:
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(ValidationFailed) as error:
        load_documents(questions(tmp_path, line))
    assert said in error.value.message


def test_a_page_that_a_document_does_not_have_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    found = load_documents(questions(tmp_path, {"_id": "q", "text": "?", "file": "a.txt", "pages": [1, 4]}))
    check_pages(found, {"a.txt": 4})
    with pytest.raises(ValidationFailed, match=r"line 1: 'a\.txt' has 3 pages, not 4"):
        check_pages(found, {"a.txt": 3})


def test_a_folder_without_questions(tmp_path: Path) -> None:
    with pytest.raises(ValidationFailed, match=r"questions\.jsonl' is missing"):
        load_documents(tmp_path)
