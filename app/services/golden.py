"""Golden questions: saved with their right page, and asked again to see whether search still finds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from app.core.enums import FileStatus, SearchMode
from app.core.errors import Conflict, ModelUnavailable, NotFound, ValidationFailed
from app.crud import golden
from app.crud.ownership import get_owned
from app.db.base import now
from app.db.models import File, GoldenQuestion, GoldenRun
from app.db.session import Database
from app.rag.base import Embedder
from app.rag.measures import Quality, Ranking, first_rank, quality
from app.rag.retriever import Passage, Retriever

MAX_QUESTIONS: Final = 1000
DEPTH: Final = 100
RIGHT: Final = "right"
Ranks = Mapping[SearchMode, int | None]


@dataclass(frozen=True, slots=True)
class Known:
    """A question and the file that it is about: None when the user has no such ready file now."""

    row: GoldenQuestion
    file_id: UUID | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and where its page came, in this run and in the one before."""

    known: Known
    ranks: Ranks
    before: Ranks | None


@dataclass(frozen=True, slots=True)
class Run:
    """`before`: the qualities of the last run, over the questions that both have; None: there was none."""

    row: GoldenRun
    asked: Sequence[Asked]
    quality: Mapping[SearchMode, Quality]
    before: Mapping[SearchMode, Quality] | None

    @property
    def compared(self) -> int:
        return sum(each.before is not None for each in self.asked)


class Golden:
    """Every method names the owner."""

    def __init__(self, db: Database, retriever: Retriever, embedder: Embedder | None) -> None:
        self._db, self._retriever, self._embedder = db, retriever, embedder

    async def add(self, owner: UUID, question: str, file_id: UUID, page: int) -> Known:
        """The same question about the same page is stored once.

        Raises NotFound for the file, Conflict when it is not ready, ValidationFailed for a page that it does not have.
        """
        async with self._db.begin() as session:
            file = await get_owned(session, File, file_id, owner)
            if file.status != FileStatus.READY:
                raise Conflict(f"file {file.name!r} is {file.status}; save the question when it is ready")
            if page > file.pages_done:
                raise ValidationFailed(f"page {page}: file {file.name!r} has {file.pages_done} pages")
            if await golden.count(session, owner) >= MAX_QUESTIONS:
                raise Conflict(
                    f"you have {MAX_QUESTIONS} golden questions, the most that are allowed; delete some first"
                )
            row = GoldenQuestion(
                user_id=owner, question=question.strip(), file_name=file.name, sha256=file.sha256, page=page
            )
            if (known := await golden.same(session, row)) is not None:
                return Known(known, file.id)
            session.add(row)
        return Known(row, file.id)

    async def newest(self, owner: UUID, *, limit: int, cursor: str | None) -> tuple[list[Known], str | None]:
        """One page, newest first, and the cursor of the next one."""
        async with self._db.read() as session:
            rows, after = await golden.newest(session, owner, limit=limit, cursor=cursor)
            files = await golden.files_of(session, owner, [row.sha256 for row in rows])
        return [Known(row, files.get(row.sha256)) for row in rows], after

    async def delete(self, owner: UUID, golden_id: UUID) -> None:
        """Raises NotFound."""
        async with self._db.begin() as session:
            await session.delete(await get_owned(session, GoldenQuestion, golden_id, owner))

    async def run(self, owner: UUID) -> Run:
        """Ask all of them in every mode, and compare with the last run. Raises NotFound when there are none."""
        async with self._db.read() as session:
            rows = await golden.every(session, owner)
            files = await golden.files_of(session, owner, [row.sha256 for row in rows])
            last = await golden.last_run(session, owner)
        if not rows:
            raise NotFound("there is no golden question; save one with its page first: POST /api/v1/golden")
        modes = await self._modes()
        asked: list[Asked] = []
        for row in rows:
            known = Known(row, files.get(row.sha256))
            ranks = {mode: await self._rank(owner, known, mode) for mode in modes}
            asked.append(Asked(known, ranks, _before(last, row.id)))
        run = GoldenRun(
            user_id=owner,
            embedder=self._embedder.fingerprint if self._embedder is not None and len(modes) > 1 else None,
            ranks={str(each.known.row.id): dict(each.ranks) for each in asked},
            created_at=now(),
        )
        async with self._db.begin() as session:
            await golden.add_run(session, run)
        compared = [each for each in asked if each.before is not None]
        before = {mode: _quality([(each.before or {}).get(mode) for each in compared]) for mode in modes}
        found = {mode: _quality([each.ranks[mode] for each in asked]) for mode in modes}
        return Run(run, asked, found, before if compared else None)

    async def _modes(self) -> list[SearchMode]:
        """Those that work now: without an embedder that answers there are words alone."""
        try:
            if self._embedder is not None:
                await self._embedder.identify()
                return [SearchMode.TEXT, SearchMode.DENSE, SearchMode.HYBRID]
        except ModelUnavailable:
            pass
        return [SearchMode.TEXT]

    async def _rank(self, owner: UUID, known: Known, mode: SearchMode) -> int | None:
        """From 1: the first passage of the user's library that touches the page."""
        if known.file_id is None:
            return None
        found = await self._retriever.search(owner, known.row.question, scope=None, limit=DEPTH, mode=mode)
        return first_rank([_touches(passage, known) for passage in found.passages], {RIGHT: 1})


def _touches(passage: Passage, known: Known) -> list[str]:
    on_page = passage.page_from <= known.row.page <= passage.page_to
    return [RIGHT] if passage.file_id == known.file_id and on_page else []


def _before(last: GoldenRun | None, question: UUID) -> Ranks | None:
    """None: there was no run before, or it did not have this question."""
    return None if last is None else cast(Ranks | None, last.ranks.get(str(question)))


def _quality(ranks: Sequence[int | None]) -> Quality:
    rankings = {str(n): Ranking([[]] * ((rank or 1) - 1) + [[RIGHT] if rank else []]) for n, rank in enumerate(ranks)}
    return quality(rankings, {name: {RIGHT: 1} for name in rankings})
