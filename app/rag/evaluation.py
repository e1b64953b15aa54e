"""Collections in the BEIR layout: texts, queries, and which text answers which query."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from app.core.errors import ValidationFailed

FILES: Final = ("corpus.jsonl", "queries.jsonl", "qrels.tsv")
R = TypeVar("R", "Document", "Query")


class Document(msgspec.Struct, frozen=True):
    """One line of `corpus.jsonl`."""

    id: str = msgspec.field(name="_id")
    text: str
    title: str = ""

    @property
    def whole(self) -> str:
        return f"{self.title}\n{self.text}" if self.title else self.text


class Query(msgspec.Struct, frozen=True):
    """One line of `queries.jsonl`."""

    id: str = msgspec.field(name="_id")
    text: str


@dataclass(frozen=True, slots=True)
class Collection:
    """`grades` holds, for each query that has judgements, the grade of each judged document: 0 is not relevant."""

    name: str
    documents: list[Document]
    queries: list[Query]
    grades: dict[str, dict[str, int]]

    @property
    def judged(self) -> list[Query]:
        """The queries that have at least one relevant document: the others say nothing about a ranking."""
        return [query for query in self.queries if any(self.grades.get(query.id, {}).values())]


def collections(folder: Path) -> list[Path]:
    """The folder itself when it is a collection, else those in it. Raises ValidationFailed."""
    if not folder.is_dir():
        raise ValidationFailed(f"{str(folder)!r} is not a folder")
    if any((folder / name).exists() for name in FILES):
        return [folder]
    found = sorted(f for f in folder.iterdir() if any((f / name).exists() for name in FILES))
    if not found:
        raise ValidationFailed(f"{str(folder)!r} holds no collection: a folder with {', '.join(FILES)}")
    return found


def load(folder: Path) -> Collection:
    """Read one collection. Raises ValidationFailed, which names the file and the line."""
    for name in FILES:
        if not (folder / name).is_file():
            raise ValidationFailed(f"{str(folder / name)!r} is missing; a collection has {', '.join(FILES)}")
    documents = _rows(folder / "corpus.jsonl", Document)
    queries = _rows(folder / "queries.jsonl", Query)
    collection = Collection(folder.name, documents, queries, _grades(folder / "qrels.tsv"))
    if not collection.judged:
        raise ValidationFailed(f"{str(folder / 'qrels.tsv')!r} has no relevant document for any query of queries.jsonl")
    return collection


def _rows(path: Path, kind: type[R]) -> list[R]:
    decoder = msgspec.json.Decoder(kind)
    rows: dict[str, R] = {}
    for number, line in numbered_lines(path):
        try:
            row = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise ValidationFailed(f"{str(path)!r}, line {number}: {error}") from None
        if row.id in rows:
            raise ValidationFailed(f"{str(path)!r}, line {number}: the id {row.id!r} stands twice")
        rows[row.id] = row
    if not rows:
        raise ValidationFailed(f"{str(path)!r} is empty")
    return list(rows.values())


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines that are not empty. Raises ValidationFailed."""
    try:
        with path.open(encoding="utf-8") as file:
            yield from ((number, line) for number, line in enumerate(file, start=1) if line.strip())
    except UnicodeDecodeError as error:
        raise ValidationFailed(f"{str(path)!r} is not UTF-8: {error}") from None


def _grades(path: Path) -> dict[str, dict[str, int]]:
    """Lines of query, document and grade, with tabs between; the first line may name the columns."""
    grades: dict[str, dict[str, int]] = {}
    for number, line in numbered_lines(path):
        fields = line.rstrip("\r\n").split("\t")
        try:
            query, document, grade = fields[0], fields[-2], int(fields[-1])
        except (IndexError, ValueError):
            if number == 1:
                continue
            wanted = "query id, document id and a whole number, with tabs between"
            raise ValidationFailed(f"{str(path)!r}, line {number}: {line.strip()!r} is not {wanted}") from None
        grades.setdefault(query, {})[document] = grade
    return grades
