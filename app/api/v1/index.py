"""The search index: which one is searched, and building a new one beside it. For administrators."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.api.deps import Administrator, DoctorDep, RebuildingDep
from app.schemas.index import IndexOut
from app.schemas.inspection import InspectionOut

router = APIRouter(prefix="/index", tags=["index"])


@router.get("")
async def get_index(_: Administrator, rebuilding: RebuildingDep) -> IndexOut:
    """Which index is searched, whether the settings ask for another, and how far that one is."""
    return await rebuilding.status.read()


@router.post("/rebuild", status_code=202)
async def rebuild_index(user: Administrator, rebuilding: RebuildingDep) -> IndexOut:
    """Build a new index beside the one that is searched, or go on with one that failed. Files are not read again.

    Search goes on over the old one until the new one is whole. Follow it with `GET /events`, event `job`.
    """
    await rebuilding.request(user.user_id)
    return await rebuilding.status.read()


@router.post("/check")
async def check_index(
    _: Administrator, doctor: DoctorDep, *, fix: Annotated[bool, Query(description="mend what is found")] = False
) -> InspectionOut:
    """Compare rows, text index, vectors and uploaded files of all users. `llama-service doctor` asks this.

    Nothing is deleted while files are uploaded or read.
    """
    return await doctor.examine(fix=fix)


@router.delete("/rebuild", status_code=202)
async def cancel_rebuild(_: Administrator, rebuilding: RebuildingDep) -> IndexOut:
    """Build it no more, and remove what there is of it. The index that is searched stays as it is."""
    await rebuilding.cancel()
    return await rebuilding.status.read()
