"""Search: the passages of a user's files, with the ranks of each half."""

from fastapi import APIRouter

from app.api.deps import CurrentUser, DocumentsDep, RetrieverDep
from app.crud.scope import Wanted
from app.schemas.files import SearchAnswer, SearchHit, SearchRequest

router = APIRouter(prefix="/search", tags=["search"])


@router.post("")
async def search(
    body: SearchRequest, user: CurrentUser, documents: DocumentsDep, retriever: RetrieverDep
) -> SearchAnswer:
    """Passages of these files and collections, or of all your files that are ready, best first. `tags` narrow them."""
    scope = await documents.scope(user.user_id, Wanted(body.file_ids, body.collection_ids, body.tags))
    found = await retriever.search(user.user_id, body.query, scope=scope, limit=body.limit, mode=body.mode)
    items = [SearchHit.model_validate(passage) for passage in found.passages]
    return SearchAnswer(items=items, mode=found.mode, text_only_files=found.text_only_files)
