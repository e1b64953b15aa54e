"""Folders of documents with questions and the pages that answer them.

The layout: the documents, in the folder or below it, and `questions.jsonl` with one JSON object a line:

    {"_id": "q1", "text": "How long is the notice period?", "file": "contracts/lease.pdf", "pages": [12, 13]}

`file` is a path within the folder, `pages` count from 1; one page of these suffices. With several answers,
`"gold": [{"file": ..., "pages": [...]}, ...]` stands in place of both. Further fields are ignored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from app.core.errors import ValidationFailed
from app.rag.evaluation import numbered_lines

QUESTIONS: Final = "questions.jsonl"


class Place(msgspec.Struct, frozen=True):
    """Pages of one document."""

    file: str
    pages: list[int]


class _Line(msgspec.Struct, frozen=True):
    id: str = msgspec.field(name="_id")
    text: str
    file: str | None = None
    pages: list[int] = []
    gold: list[Place] = []


@dataclass(frozen=True, slots=True)
class Question:
    """`line` is where it stands in the file."""

    id: str
    text: str
    gold: Sequence[Place]
    line: int

    @property
    def grades(self) -> dict[str, int]:
        return {page_key(place.file, page): 1 for place in self.gold for page in place.pages}


@dataclass(frozen=True, slots=True)
class Documents:
    """`files` are paths within `folder`, in order."""

    folder: Path
    files: list[str]
    questions: list[Question]

    @property
    def name(self) -> str:
        return self.folder.resolve().name


def page_key(file: str, page: int) -> str:
    return f"{file}#{page}"


def folders(folder: Path) -> list[Path]:
    """The folder itself when it has questions, else those in it that have. Raises ValidationFailed."""
    if not folder.is_dir():
        raise ValidationFailed(f"{str(folder)!r} is not a folder")
    inside = sorted(each for each in folder.iterdir() if (each / QUESTIONS).is_file())
    return [folder] if (folder / QUESTIONS).is_file() or not inside else inside


def load_documents(folder: Path) -> Documents:
    """Raises ValidationFailed, which names the file and the line."""
    path = folder / QUESTIONS
    if not path.is_file():
        raise ValidationFailed(f'{str(path)!r} is missing; each of its lines is {{"_id", "text", "file", "pages"}}')
    files = sorted(
        each.relative_to(folder).as_posix()
        for each in folder.rglob("*")
        if each.is_file() and each != path and not any(part.startswith(".") for part in each.relative_to(folder).parts)
    )
    known, questions = set(files), dict[str, Question]()
    for number, line in numbered_lines(path):
        question = _question(path, number, line)
        for place in question.gold:
            if place.file not in known:
                raise ValidationFailed(f"{str(path)!r}, line {number}: there is no file {place.file!r} in the folder")
        if question.id in questions:
            raise ValidationFailed(f"{str(path)!r}, line {number}: the id {question.id!r} stands twice")
        questions[question.id] = question
    if not questions:
        raise ValidationFailed(f"{str(path)!r} is empty")
    return Documents(folder, files, list(questions.values()))


def check_pages(documents: Documents, pages_of: dict[str, int]) -> None:
    """Raises ValidationFailed for a gold page that a file, which was read, does not have."""
    for question in documents.questions:
        for place in question.gold:
            total = pages_of.get(place.file)
            if total is not None and max(place.pages) > total:
                raise ValidationFailed(
                    f"{str(documents.folder / QUESTIONS)!r}, line {question.line}: {place.file!r} has {total} pages, "
                    f"not {max(place.pages)}"
                )


def _question(path: Path, number: int, line: str) -> Question:
    try:
        read = msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError as error:
        raise ValidationFailed(f"{str(path)!r}, line {number}: {error}") from None
    gold = read.gold or ([Place(read.file, read.pages)] if read.file is not None else [])
    if not gold or any(not place.pages or min(place.pages) < 1 for place in gold):
        raise ValidationFailed(
            f"{str(path)!r}, line {number}: a file and its pages, counted from 1, are needed: "
            '"file": "a.pdf", "pages": [3]'
        )
    return Question(read.id, read.text, gold, number)
