"""Golden questions: saved with their right page, and asked again."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from app.api.deps import CurrentUser, GoldenDep
from app.core.enums import SearchMode
from app.rag.measures import Quality
from app.schemas.base import PageOf
from app.schemas.golden import GoldenOut, GoldenQuality, GoldenRank, GoldenRequest, GoldenRunOut
from app.services.golden import Asked, Known

router = APIRouter(prefix="/golden", tags=["golden questions"])


@router.post("", status_code=201)
async def add_question(body: GoldenRequest, user: CurrentUser, golden: GoldenDep) -> GoldenOut:
    """Save a question with the page that answers it. The same one is stored once."""
    return _shown(await golden.add(user.user_id, body.question, body.file_id, body.page))


@router.get("")
async def list_questions(
    user: CurrentUser,
    golden: GoldenDep,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> PageOf[GoldenOut]:
    """Newest first."""
    items, after = await golden.newest(user.user_id, limit=limit, cursor=cursor)
    return PageOf(items=[_shown(known) for known in items], next_cursor=after)


@router.delete("/{golden_id}", status_code=204)
async def delete_question(golden_id: UUID, user: CurrentUser, golden: GoldenDep) -> Response:
    """Its file stays."""
    await golden.delete(user.user_id, golden_id)
    return Response(status_code=204)


@router.post("/run")
async def run_questions(user: CurrentUser, golden: GoldenDep) -> GoldenRunOut:
    """Search for all of them by words, by meaning and by both, and compare with the run before."""
    run = await golden.run(user.user_id)
    return GoldenRunOut(
        created_at=run.row.created_at,
        embedder=run.row.embedder,
        quality=_qualities(run.quality),
        before=None if run.before is None else _qualities(run.before),
        compared=run.compared,
        items=[_rank(asked) for asked in run.asked],
    )


def _shown(known: Known) -> GoldenOut:
    row = known.row
    return GoldenOut(
        id=row.id,
        created_at=row.created_at,
        question=row.question,
        file_id=known.file_id,
        file_name=row.file_name,
        page=row.page,
    )


def _rank(asked: Asked) -> GoldenRank:
    row = asked.known.row
    return GoldenRank(
        id=row.id,
        question=row.question,
        file_name=row.file_name,
        page=row.page,
        missing=asked.known.file_id is None,
        ranks=dict(asked.ranks),
        before=None if asked.before is None else dict(asked.before),
    )


def _qualities(found: Mapping[SearchMode, Quality]) -> dict[SearchMode, GoldenQuality]:
    return {mode: GoldenQuality(hit_1=q.hit_1, hit_5=q.hit_5, hit_10=q.hit_10, mrr=q.mrr) for mode, q in found.items()}
