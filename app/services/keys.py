"""API keys: made and shown once, listed, revoked, and recognised when a program shows one.

A key is `sk_<id>_<secret>`. The id finds the row; the secret, 32 random bytes, is compared by its SHA-256.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hmac import compare_digest
from typing import Final
from uuid import UUID, uuid4

from loguru import logger

from app.core.enums import Scope
from app.core.errors import NotAuthenticated
from app.core.security import digest, new_opaque_token
from app.crud import api_keys
from app.crud.api_keys import NewKey, StoredKey
from app.crud.users import SignIn
from app.db.base import now
from app.db.models import ApiKey
from app.db.session import Database
from app.services.remembered import Remembered

KEY_PREFIX: Final = "sk_"
KEY: Final = re.compile(r"sk_([0-9a-f]{32})_([\w-]{43})", re.ASCII)
SHOWN_CHARS: Final = 6
MAX_NOTED: Final = 10_000
DEFAULT_SCOPES: Final = (Scope.OPENAI,)
MAKE_ANOTHER: Final = "make a new one in the settings or by POST /api/v1/auth/keys"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key. `text` is all of it: it cannot be shown again."""

    row: ApiKey
    text: str


def shown(key_id: UUID) -> str:
    """The first letters of a key, by which people tell theirs apart."""
    return f"{KEY_PREFIX}{key_id.hex[:SHOWN_CHARS]}…"


class Keys:
    """Makes keys and recognises them. When each was last used is noted behind the requests, once a minute."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: Remembered[str, StoredKey] = Remembered(db)
        self._noted: dict[UUID, float] = {}
        self._uses: dict[UUID, datetime] = {}
        self._noting: asyncio.Task[None] | None = None

    async def create(
        self, user_id: UUID, *, name: str, scopes: Sequence[Scope] | None, expires_in_days: int | None
    ) -> MadeKey:
        """Raises Conflict: the user has a key of this name, or too many."""
        key_id, secret = uuid4(), new_opaque_token()
        chosen = DEFAULT_SCOPES if scopes is None else tuple(scope for scope in Scope if scope in scopes)
        expires_at = None if expires_in_days is None else now() + timedelta(days=expires_in_days)
        new = NewKey(key_id, user_id, name, digest(secret), chosen, expires_at)
        row = await self._db.write(partial(api_keys.add, key=new))
        return MadeKey(row, f"{KEY_PREFIX}{key_id.hex}_{secret}")

    async def of_user(self, user_id: UUID) -> Sequence[ApiKey]:
        """Newest first, without those that were revoked."""
        return await self._db.query(partial(api_keys.of_user, user_id=user_id))

    async def revoke(self, user_id: UUID, key_id: UUID) -> None:
        """It stops working at once. Raises NotFound."""
        await self._db.write(partial(api_keys.revoke, key_id=key_id, user_id=user_id))
        self._known.forget(key_id.hex)

    async def authenticate(self, text: str) -> SignIn:
        """Whom a key speaks for, and what for. Raises NotAuthenticated."""
        parts = KEY.fullmatch(text)
        if parts is None:
            raise NotAuthenticated(f"this is not an API key of this service, such as sk_..._...; {MAKE_ANOTHER}")
        name, secret = parts.groups()
        key = self._known.get(name)
        if key is None:
            key = await self._known.read(name, partial(api_keys.find, key_id=UUID(name)))
        if key is None or not compare_digest(key.digest, digest(secret)):
            raise NotAuthenticated(f"there is no such API key; {MAKE_ANOTHER}")
        _refuse_what_is_over(key)
        self._note_use(key.sign_in.session_id)
        return key.sign_in

    def forget(self) -> None:
        """Look every key up again: a user's password or state has changed."""
        self._known.forget()

    async def aclose(self) -> None:
        if self._noting is not None:
            await asyncio.wait([self._noting])

    def _note_use(self, key_id: UUID) -> None:
        clock = time.monotonic()
        if clock < self._noted.get(key_id, 0.0):
            return
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[key_id] = clock + api_keys.USE_EVERY.total_seconds()
        self._uses[key_id] = now()
        if self._noting is None:
            self._noting = asyncio.create_task(self._write_uses())

    async def _write_uses(self) -> None:
        try:
            while self._uses:
                uses, self._uses = self._uses, {}
                await self._db.write(partial(api_keys.note_uses, uses=uses))
        except Exception as error:  # the root of the task: a use that is not noted must not be a failed request
            logger.warning("when API keys were last used could not be noted: {}", error)
        finally:
            self._noting = None


def _refuse_what_is_over(key: StoredKey) -> None:
    if key.is_revoked:
        raise NotAuthenticated(f"this API key was revoked; {MAKE_ANOTHER}")
    if key.expires_at is not None and key.expires_at <= now():
        raise NotAuthenticated(f"this API key expired at {key.expires_at:%Y-%m-%d %H:%M} UTC; {MAKE_ANOTHER}")
    if key.is_barred:
        raise NotAuthenticated("the account of this API key is barred; ask an administrator")
