"""What became of a file's pages: told with the file, and tried again when it is retried."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.enums import FileStatus
from app.core.errors import Conflict
from app.db.session import Database
from app.rag.coverage import MAX_RANGES, MAX_REASONS, ranges, summary
from app.rag.pages import Page
from tests.services.doubles import ScriptedParser
from tests.services.library import Counts, Library, look, prose, running, stored

UNREAD = [
    *[Page(n, "", failure="damaged") for n in (2, 3, 5)],
    Page(6, "", needs_ocr=True, failure="the page is a picture of text: install Tesseract"),
    Page(7, "by a picture", by_ocr=True),
    Page(8, " "),
]


async def test_a_file_says_what_became_of_its_pages(db: Database, tmp_path: Path) -> None:
    parser = ScriptedParser([prose(4)] * 4)
    parser.scripted |= {page.number: page for page in UNREAD}
    library = Library(db, tmp_path, parser=parser)
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, _ = await look(library, file)
    assert (row.status, row.coverage) == (
        FileStatus.READY,
        {
            "read": 2,
            "empty": 1,
            "ocr": 1,
            "needs_ocr": 1,
            "failed": 3,
            "reasons": [
                {"pages": "2-3, 5", "reason": "damaged"},
                {"pages": "6", "reason": "the page is a picture of text: install Tesseract"},
            ],
        },
    )


@pytest.mark.parametrize(
    ("page", "code", "said"),
    [
        (UNREAD[0], "unreadable_pages", "none of its pages could be read: damaged"),
        (UNREAD[3], "no_text", "no text found, looks scanned; install Tesseract"),
    ],
)
async def test_a_file_of_which_no_page_was_read_is_failed(
    sqlite_db: Database, tmp_path: Path, page: Page, code: str, said: str
) -> None:
    parser = ScriptedParser([])
    parser.scripted[1] = replace(page, number=1)
    library = Library(sqlite_db, tmp_path, parser=parser)
    file = await stored(library)
    await library.ingestion.run(file.id, 1)
    row, counts = await look(library, file)
    assert (row.status, row.error, counts) == (FileStatus.FAILED, {"code": code, "message": said}, Counts(0, 0, 0, 0))
    assert row.coverage is not None
    assert row.coverage[page.state] == 1


async def test_pages_that_were_not_read_can_be_tried_again(sqlite_db: Database, tmp_path: Path) -> None:
    parser = ScriptedParser([prose(4)] * 3)
    parser.scripted[2] = replace(UNREAD[3], number=2)
    async with running(Library(sqlite_db, tmp_path, parser=parser)) as library:
        owner = await library.user()
        file = await library.ready(owner, b"scan")
        parser.scripted.clear()
        again = await library.documents.retry(owner, file.id)
        assert (again.status, again.coverage, again.attempt) == (FileStatus.STORED, None, 2)
        row = await library.until(owner, file.id)
        assert (row.status, row.pages_done) == (FileStatus.READY, 3)
        with pytest.raises(Conflict, match="is ready"):
            await library.documents.retry(owner, file.id)


def test_what_is_told_of_a_file_is_bounded() -> None:
    assert ranges([1, 3, 4, 5, 9]) == "1, 3-5, 9"
    assert ranges(range(1, 1000, 2)).count(",") == MAX_RANGES
    told = summary({"failed": 1000}, [(n, f"reason {n}") for n in range(1000)])
    assert told["failed"] == 1000
    assert len(told["reasons"]) == MAX_REASONS  # type: ignore[arg-type]
