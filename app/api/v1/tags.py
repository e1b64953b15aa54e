"""Tags: of one file and its pages, and which there are."""

from uuid import UUID

from fastapi import APIRouter

from app.api.deps import CurrentUser, DocumentsDep, TagsDep
from app.api.v1.files import shown
from app.core.tags import PageTags
from app.schemas.files import FileOut
from app.schemas.tags import TagCount, TagKey, TagList, TagsIn

router = APIRouter(tags=["tags"])


@router.put("/files/{file_id}/tags")
async def replace(file_id: UUID, body: TagsIn, user: CurrentUser, tags: TagsDep, documents: DocumentsDep) -> FileOut:
    """Set all tags of a file and of ranges of its pages. The next search knows them."""
    on_pages = [PageTags(given.pages, given.tags) for given in body.page_tags]
    return shown(await tags.replace(user.user_id, file_id, body.tags, on_pages), user, documents)


@router.get("/tags")
async def list_tags(user: CurrentUser, tags: TagsDep, collection_id: UUID | None = None) -> TagList:
    """The tags of your files, or of a collection's, with the number of files that have each on any page."""
    found = await tags.counts(user.user_id, collection_id)
    return TagList(
        items=[
            TagKey(key=key, values=[TagCount(value=value, files=files) for value, files in values])
            for key, values in found.items()
        ]
    )
