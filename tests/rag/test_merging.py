"""Which passages become one, which are left out, and that what is left stands in the file as it is."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from app.core.enums import FileStatus, Role
from app.crud import chunks
from app.db.models import Chunk, File, FilePage, User
from app.db.session import Database
from app.rag.duplicates import distinct
from app.rag.found import Passage
from app.rag.merging import MOST_CHUNKS, condensed, neighbours
from app.rag.pages import Page
from app.rag.splitter import split

FILE, OTHER = UUID(int=1), UUID(int=2)
PAGES = [
    Page(1, "Intro\n\n" + " ".join(f"The harbour number {n} was dredged in year {n}." for n in range(12))),
    Page(2, " ".join(f"Crane {n} lifts {n} tons and was painted by crew {n}." for n in range(12)) + " It goes on"),
    Page(3, "and ends here. " + " ".join(f"Ledger {n} has {n} lines about ship {n}." for n in range(12))),
]
FULL = "\f".join(page.text for page in PAGES)


def passage(ordinal: int, text: str = "", *, file: UUID = FILE, score: float = 1.0, page: int = 1) -> Passage:
    return Passage(file, "f", page, page, ordinal * 10, ordinal * 10 + 10, text, score, None, None, ordinal=ordinal)


def groups(*passages: Passage) -> list[list[int]]:
    return [[p.ordinal for p in group] for group in neighbours(passages)]


def test_neighbours_are_chunks_that_follow_each_other_in_one_file() -> None:
    assert groups(passage(5), passage(3), passage(4), passage(1)) == [[1], [3, 4, 5]]
    assert groups(passage(1), passage(2, file=OTHER)) == [[1], [2]]
    assert groups(*map(passage, range(7))) == [[0, 1, 2], [3, 4, 5], [6]]
    assert MOST_CHUNKS == 3


def test_what_a_merge_would_lose_keeps_passages_apart() -> None:
    first, second = passage(1, "name price"), passage(2, page=2)
    assert groups(first, second) == [[1, 2]]
    assert groups(first, replace(second, score=0.4)) == [[1], [2]]
    assert groups(first, replace(passage(2), score=0.1)) == [[1, 2]]  # the same page is as exact
    assert groups(first, replace(second, page_label="Sheet 2")) == [[1], [2]]
    assert groups(replace(first, page_label="Sheet 1"), replace(passage(2), page_label="Sheet 1")) == [[1, 2]]
    assert groups(first, replace(second, context="another header")) == [[1], [2]]
    assert groups(first, replace(second, context="name price")) == [[1, 2]]  # the first one begins with it
    assert groups(replace(first, context="header"), replace(second, context="header")) == [[1, 2]]


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ("The ferry leaves at nine from the old harbour on each day of the summer season, weather permitting.", 1),
        ("the FERRY leaves at nine, from the old harbour, on each day of the summer season; weather permitting", 1),
        ("The ferry leaves at nine from the old harbour", 1),
        ("The ferry leaves at ten from the old harbour on each day of the winter season, weather permitting.", 2),
        ("Something else.", 2),
    ],
)
def test_what_says_nothing_new_is_left_out(second: str, kept: int) -> None:
    first = "The ferry leaves at nine from the old harbour on each day of the summer season, weather permitting."
    found = distinct([passage(1, first), passage(2, second, file=OTHER)], 8)
    assert [p.ordinal for p in found] == [1, 2][:kept]


def test_rows_that_differ_in_a_figure_are_two() -> None:
    row = (
        "The revenue of the company from the sale of harbour cranes to all customers in Europe and Asia was {} million"
    )
    assert len(distinct([passage(1, row.format(5)), passage(2, row.format(6))], 8)) == 2
    assert len(distinct([passage(1, row.format(5)), passage(2, row.format(5))], 8)) == 1
    assert [p.ordinal for p in distinct(map(passage, range(9)), 0)] == []


@pytest.fixture
def reader() -> UUID:
    return uuid4()


@pytest.fixture
async def stored(db: Database, reader: UUID) -> list[Passage]:
    """A real file's chunks as passages, the best first."""
    owner, file = reader, uuid4()
    pieces = split(PAGES, size=200, overlap=80)
    async with db.begin() as session:
        session.add(User(id=owner, username="u", username_key=owner.hex, password_hash="", role=Role.USER))
        await session.flush()
        row = {"media_type": "text/plain", "size_bytes": 1, "sha256": "", "status": FileStatus.READY}
        session.add(File(id=file, user_id=owner, name="a.txt", **row))
        await session.flush()
        at = 0
        for page in PAGES:
            session.add(FilePage(file_id=file, number=page.number, char_from=at, text=page.text))
            at += len(page.text) + 1
        where = ("ordinal", "page_from", "page_to", "char_from", "char_to", "text")
        rows = [Chunk(file_id=file, user_id=owner, fingerprint="", **{k: getattr(p, k) for k in where}) for p in pieces]
        await chunks.add(session, rows)
    return [
        Passage(file, "a.txt", c.page_from, c.page_to, c.char_from, c.char_to, c.text, 1 - n / 99, None, n, ordinal=n)
        for n, c in enumerate(pieces)
    ]


async def test_every_passage_is_the_text_of_its_file_between_its_offsets(
    db: Database, reader: UUID, stored: list[Passage]
) -> None:
    found = await db.query(lambda session: condensed(session, reader, stored, 100))
    assert len(found) < len(stored) / 2
    for p in found:
        assert p.text == FULL[p.char_from : p.char_to]
    assert {(p.page_from, p.page_to) for p in found} > {(1, 1), (2, 3)}
    assert [p.score for p in found] == sorted((p.score for p in found), reverse=True)
    assert min(p.text_rank for p in found if p.text_rank is not None) == 0
    covered = set().union(*(range(p.char_from, p.char_to) for p in found))
    assert all(set(range(p.char_from, p.char_to)) <= covered for p in stored)


async def test_without_the_pages_text_chunks_stay_as_they_are(
    db: Database, reader: UUID, stored: list[Passage]
) -> None:
    """Or when the reader may not read them any more."""
    assert await db.query(lambda session: condensed(session, uuid4(), stored[:3], 8)) == stored[:3]
    lost = [replace(p, file_id=OTHER) for p in stored[:3]]
    assert await db.query(lambda session: condensed(session, reader, lost, 8)) == lost
