"""API keys: make, list and revoke the keys that programs sign in with."""

from uuid import UUID

from fastapi import APIRouter, Response

from app.api.deps import CurrentUser, KeysDep
from app.core.enums import Scope
from app.db.models import ApiKey
from app.schemas.api_keys import KeyMade, KeyOut, KeyRequest
from app.schemas.base import PageOf
from app.services.keys import shown

router = APIRouter(prefix="/auth/keys", tags=["accounts"])


@router.post("", status_code=201)
async def create(body: KeyRequest, response: Response, user: CurrentUser, keys: KeysDep) -> KeyMade:
    """Make a key for a program. It is shown in this answer only; send it as `Authorization: Bearer sk_...`."""
    made = await keys.create(user.user_id, name=body.name, scopes=body.scopes, expires_in_days=body.expires_in_days)
    response.headers["Cache-Control"] = "no-store"
    row = made.row
    return KeyMade(
        id=row.id,
        name=row.name,
        scopes=scopes(row),
        key=made.text,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


@router.get("")
async def list_keys(user: CurrentUser, keys: KeysDep) -> PageOf[KeyOut]:
    """The user's keys without those that were revoked, newest first, expired ones last. Always one page."""
    return PageOf[KeyOut](items=[key_out(row) for row in await keys.of_user(user.user_id)])


@router.delete("/{key_id}", status_code=204)
async def revoke(key_id: UUID, user: CurrentUser, keys: KeysDep) -> None:
    """Revoke a key. It stops working at once; an answer that is being streamed to it goes on to its end."""
    await keys.revoke(user.user_id, key_id)


def key_out(row: ApiKey) -> KeyOut:
    return KeyOut(
        id=row.id,
        name=row.name,
        scopes=scopes(row),
        prefix=shown(row.id),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def scopes(row: ApiKey) -> list[Scope]:
    return [scope for scope in Scope if scope in row.scopes]
