"""Search: the passages of a user's files, with the ranks of each half."""

from fastapi import APIRouter

from app.api.deps import CurrentUser, DocumentsDep, RetrieverDep
from app.core.errors import ValidationFailed
from app.schemas.files import SearchAnswer, SearchHit, SearchRequest

router = APIRouter(prefix="/search", tags=["search"])


@router.post("")
async def search(
    body: SearchRequest, user: CurrentUser, documents: DocumentsDep, retriever: RetrieverDep
) -> SearchAnswer:
    """Passages of these files, or of all files that are ready, best first."""
    if body.collection_ids or body.tags:
        raise ValidationFailed("collection_ids and tags cannot narrow a search yet; name files with file_ids")
    file_ids = None if body.file_ids is None else await documents.ready(user.user_id, body.file_ids)
    found = await retriever.search(user.user_id, body.query, file_ids=file_ids, limit=body.limit, mode=body.mode)
    items = [SearchHit.model_validate(passage) for passage in found.passages]
    return SearchAnswer(items=items, mode=found.mode, text_only_files=found.text_only_files)
