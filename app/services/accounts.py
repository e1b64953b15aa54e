"""Accounts: register, sign in, stay signed in, sign out."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final
from uuid import UUID

from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from app.core.enums import Role
from app.core.errors import Conflict, Forbidden, NotAuthenticated, RateLimited
from app.core.security import (
    DECOY_HASH,
    AccessClaims,
    TokenSigner,
    digest,
    hash_password,
    load_or_create_key,
    new_opaque_token,
    verify_password,
)
from app.core.settings import AuthSettings
from app.crud import users
from app.crud.users import SignIn
from app.db.base import now
from app.db.models import User
from app.db.session import Database
from app.services.keys import KEY_PREFIX, Keys
from app.services.remembered import Remembered

FAILURES_PER_NAME: Final = RateLimitItemPerMinute(10, 5)
FAILURES_PER_ADDRESS: Final = RateLimitItemPerMinute(100, 5)
REGISTRATIONS_PER_ADDRESS: Final = RateLimitItemPerHour(1000)
HASHERS: Final = 2
MAX_WAITING: Final = 512
MAX_VERIFIED: Final = 10_000
BAD_CREDENTIALS: Final = "the username or the password is wrong"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A sign-in's pair of tokens; `expires_in_s` is the access token's life."""

    access: str
    refresh: str
    expires_in_s: int


class Accounts:
    """All that concerns who somebody is. Passwords are hashed in threads, a few at a time."""

    def __init__(self, db: Database, keys: Keys, settings: AuthSettings, *, data_dir: Path) -> None:
        key = settings.jwt_secret_key
        self._db, self._keys = db, keys
        self._settings = settings
        self._signer = TokenSigner(
            key.get_secret_value() if key else load_or_create_key(data_dir / "jwt.key"),
            settings.jwt_algorithm,
            timedelta(minutes=settings.jwt_access_token_expire_minutes),
        )
        self._hashing = asyncio.Semaphore(HASHERS)
        self._waiting = 0
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._live: Remembered[UUID, SignIn] = Remembered(db)
        self._verified: dict[str, AccessClaims] = {}

    async def register(self, *, username: str, email: str | None, password: str, address: str) -> User:
        """A new account, never an administrator's. Raises Forbidden, Conflict or RateLimited."""
        if self._settings.registration == "closed":
            raise Forbidden("registration is closed; ask an administrator for an account")
        if self._settings.rate_limit_enabled and not await self._limiter.hit(REGISTRATIONS_PER_ADDRESS, "new", address):
            raise RateLimited("too many new accounts from this address; try again in an hour", retry_after_s=3600)
        return await self.create(username=username, email=email, password=password, role=Role.USER)

    async def create(self, *, username: str, email: str | None, password: str, role: Role) -> User:
        hashed = await self._hash(password)
        return await self._db.write(
            partial(users.create, username=username, email=email, password_hash=hashed, role=role)
        )

    async def ensure_admin(self, *, username: str, password: str) -> bool:
        """Make `username` an administrator with this password. False: it was one already and is left as it is."""
        hashed = await self._hash(password)
        try:
            made = await self._db.write(partial(users.ensure_admin, username=username, password_hash=hashed))
        except Conflict:  # another replica made it at this moment
            return False
        self._forget_all()
        return made

    async def reset_password(self, *, username: str, password: str) -> bool:
        """Give a user a new password, end their sign-ins and revoke their keys. False: there is no such user."""
        hashed = await self._hash(password)
        known = await self._db.write(partial(users.reset_password, username=username, password_hash=hashed))
        self._forget_all()
        return known

    async def has_admin(self) -> bool:
        return await self._db.query(users.any_admin)

    async def login(self, *, username: str, password: str, address: str) -> Tokens:
        """Raises NotAuthenticated, after the same time for an unknown user, or RateLimited after many failures."""
        name = username.casefold()
        await self._refuse_after_failures(name, address)
        user = await self._db.query(partial(users.by_username, username=username))
        async with self._turn_to_hash():
            await self._refuse_after_failures(name, address)  # of guesses that were sent at the same moment
            matches = await asyncio.to_thread(verify_password, password, user.password_hash if user else DECOY_HASH)
            if user is None or not matches or not user.is_active:
                await self._note_failure(name, address)
                raise NotAuthenticated(BAD_CREDENTIALS)
        return await self._open(user.id)

    async def sign_in_as(self, user_id: UUID) -> Tokens:
        """For commands on this machine, whose user may read the rows and the key that signs."""
        return await self._open(user_id)

    async def _open(self, user_id: UUID) -> Tokens:
        refresh = new_opaque_token()
        expires_at = now() + timedelta(days=self._settings.refresh_token_expire_days)
        session_id = await self._db.write(
            partial(users.open_session, user_id=user_id, expires_at=expires_at, token_hash=digest(refresh))
        )
        return self._tokens(user_id, session_id, refresh)

    async def refresh(self, token: str) -> Tokens:
        """A new pair for a refresh token. A second use of one ends the whole sign-in. Raises NotAuthenticated."""
        fresh = new_opaque_token()
        sign_in, reused = await self._db.write(
            partial(users.rotate_token, token_hash=digest(token), fresh_hash=digest(fresh))
        )
        if sign_in is None:
            raise NotAuthenticated("the refresh token is not valid or has expired; sign in again")
        if reused:
            self._live.forget(sign_in.session_id)
            raise NotAuthenticated("the refresh token was used twice, so this sign-in has ended; sign in again")
        return self._tokens(sign_in.user_id, sign_in.session_id, fresh)

    async def logout(self, token: str) -> None:
        """End the sign-in that a refresh token belongs to, its access tokens too. An unknown token is no error."""
        session_id = await self._db.write(partial(users.end_session, token_hash=digest(token)))
        if session_id is not None:
            self._live.forget(session_id)

    async def authenticate(self, credential: str) -> SignIn:
        """Who an access token or an API key speaks for. Raises NotAuthenticated."""
        if credential.startswith(KEY_PREFIX):
            return await self._keys.authenticate(credential)
        claims = self._claims(credential)
        session_id = claims.session_id
        sign_in = self._live.get(session_id)
        if sign_in is None:
            sign_in = await self._live.read(session_id, partial(users.live_session, session_id=session_id))
        if sign_in is None or sign_in.user_id != claims.user_id:
            raise NotAuthenticated("this sign-in has ended; sign in again")
        return sign_in

    async def user(self, user_id: UUID) -> User:
        user = await self._db.query(partial(users.get, user_id=user_id))
        if user is None:
            raise NotAuthenticated("this account no longer exists")
        return user

    def _claims(self, access_token: str) -> AccessClaims:
        """What a token says. A token that was verified once needs only its time checked again."""
        claims = self._verified.get(access_token)
        if claims is not None and claims.expires_at > time.time():
            return claims
        claims = self._signer.read(access_token)
        if len(self._verified) >= MAX_VERIFIED:
            self._verified.clear()
        self._verified[access_token] = claims
        return claims

    def _forget_all(self) -> None:
        """Look every sign-in and every key up again."""
        self._live.forget()
        self._keys.forget()

    def _tokens(self, user_id: UUID, session_id: UUID, refresh: str) -> Tokens:
        lifetime = int(self._signer.lifetime.total_seconds())
        return Tokens(self._signer.issue(user_id, session_id), refresh, lifetime)

    async def _refuse_after_failures(self, name: str, address: str) -> None:
        if not self._settings.rate_limit_enabled:
            return
        tries = (
            await self._limiter.test(FAILURES_PER_NAME, "name", name, address),
            await self._limiter.test(FAILURES_PER_ADDRESS, "address", address),
        )
        if not all(tries):
            raise RateLimited("too many failed sign-ins; wait five minutes and try again", retry_after_s=300)

    async def _note_failure(self, name: str, address: str) -> None:
        if self._settings.rate_limit_enabled:
            await self._limiter.hit(FAILURES_PER_NAME, "name", name, address)
            await self._limiter.hit(FAILURES_PER_ADDRESS, "address", address)

    async def _hash(self, password: str) -> str:
        async with self._turn_to_hash():
            return await asyncio.to_thread(hash_password, password)

    @asynccontextmanager
    async def _turn_to_hash(self) -> AsyncIterator[None]:
        """A place at one of the hashing threads. Raises RateLimited when too many wait for one."""
        if self._waiting >= MAX_WAITING:
            raise RateLimited("too many people are signing in at this moment; try again", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._hashing:
                yield
        finally:
            self._waiting -= 1
