"""Collections: make, list, change, fill, share."""

from uuid import UUID

from fastapi import APIRouter

from app.api.deps import CollectionsDep, CurrentUser, Cursor, DocumentsDep, Limit
from app.api.v1.files import shown
from app.crud.collections import Seen
from app.schemas.base import PageOf
from app.schemas.collections import (
    CollectionCreate,
    CollectionOut,
    CollectionOwner,
    CollectionPatch,
    ShareIn,
    ShareList,
    ShareOut,
)
from app.schemas.files import FileOut

router = APIRouter(prefix="/collections", tags=["collections"])


def _out(seen: Seen) -> CollectionOut:
    return CollectionOut(
        id=seen.id,
        name=seen.name,
        description=seen.description,
        owner=CollectionOwner(id=seen.owner_id, username=seen.owner_name),
        access=seen.access,
        files_total=seen.files_total,
        created_at=seen.created_at,
    )


@router.post("", status_code=201)
async def create(body: CollectionCreate, user: CurrentUser, collections: CollectionsDep) -> CollectionOut:
    """Make an empty collection of your own."""
    return _out(await collections.create(user.user_id, name=body.name, description=body.description))


@router.get("")
async def list_collections(
    user: CurrentUser, collections: CollectionsDep, cursor: Cursor = None, limit: Limit = 50
) -> PageOf[CollectionOut]:
    """All that you may use, your own and those shared with you, newest first."""
    found, after = await collections.newest(user.user_id, cursor=cursor, limit=limit)
    return PageOf(items=[_out(seen) for seen in found], next_cursor=after)


@router.get("/{collection_id}")
async def get(collection_id: UUID, user: CurrentUser, collections: CollectionsDep) -> CollectionOut:
    """One collection, without its files."""
    return _out(await collections.get(user.user_id, collection_id))


@router.patch("/{collection_id}")
async def change(
    collection_id: UUID, body: CollectionPatch, user: CurrentUser, collections: CollectionsDep
) -> CollectionOut:
    """Rename it, or describe it anew. Only its owner may."""
    changed = await collections.change(user.user_id, collection_id, name=body.name, description=body.description)
    return _out(changed)


@router.delete("/{collection_id}", status_code=204)
async def delete(collection_id: UUID, user: CurrentUser, collections: CollectionsDep) -> None:
    """Delete the collection. Its files stay their owners'. Only the collection's owner may."""
    await collections.delete(user.user_id, collection_id)


@router.get("/{collection_id}/files")
async def list_files(
    collection_id: UUID,
    user: CurrentUser,
    collections: CollectionsDep,
    documents: DocumentsDep,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PageOf[FileOut]:
    """Its files, newest first."""
    found, after = await collections.files(user.user_id, collection_id, cursor=cursor, limit=limit)
    return PageOf(items=[shown(file, user, documents) for file in found], next_cursor=after)


@router.put("/{collection_id}/files/{file_id}", status_code=204)
async def add_file(collection_id: UUID, file_id: UUID, user: CurrentUser, collections: CollectionsDep) -> None:
    """Put a file of your own library in: everybody who may use the collection may read it then."""
    await collections.add_file(user.user_id, collection_id, file_id)


@router.delete("/{collection_id}/files/{file_id}", status_code=204)
async def remove_file(collection_id: UUID, file_id: UUID, user: CurrentUser, collections: CollectionsDep) -> None:
    """Take a file out; it stays its owner's. Who may write may, and the file's owner always."""
    await collections.remove_file(user.user_id, collection_id, file_id)


@router.get("/{collection_id}/shares")
async def list_shares(collection_id: UUID, user: CurrentUser, collections: CollectionsDep) -> ShareList:
    """With whom it is shared. Only its owner may see that."""
    found = await collections.shares(user.user_id, collection_id)
    return ShareList(items=[ShareOut.model_validate(share) for share in found])


@router.post("/{collection_id}/shares", status_code=201)
async def share(collection_id: UUID, body: ShareIn, user: CurrentUser, collections: CollectionsDep) -> ShareOut:
    """Share it with a user, or with everybody. Who has it already gets this access instead."""
    made = await collections.share(user.user_id, collection_id, username=body.username, access=body.access)
    return ShareOut.model_validate(made)


@router.delete("/{collection_id}/shares/{share_id}", status_code=204)
async def unshare(collection_id: UUID, share_id: UUID, user: CurrentUser, collections: CollectionsDep) -> None:
    """End a share: from now on nothing is found or opened by it."""
    await collections.unshare(user.user_id, collection_id, share_id)
