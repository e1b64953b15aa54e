"""Secrets: the signing key, access tokens behind a guard, opaque tokens, password hashes."""

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from jose import JWTError, jwt
from passlib.hash import argon2

from app.core.errors import NotAuthenticated, SettingsError
from app.core.setting_types import MIN_SECRET_CHARS

ISSUER: Final = "llama-service"
AUDIENCE: Final = "llama-service/api"
LEEWAY_S: Final = 10
MAX_TOKEN_CHARS: Final = 2048
MAX_HEADER_CHARS: Final = 256
COMPACT: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)  # python-jose passes over other letters
REQUIRED: Final = {f"require_{claim}": True for claim in ("exp", "iat", "sub", "aud", "iss", "jti")}

_hasher = argon2.using(type="ID", memory_cost=19 * 1024, time_cost=2, parallelism=1)
# Verified when the user is unknown, so that the answer takes as long as for a known one.
DECOY_HASH: Final = "$argon2id$v=19$m=19456,t=2,p=1$Z3JlZW4gd2FsbnV0cyE$0h2tFhZGYbiZz4S9F2mU3a8mwdrfZhXbQmGmIaQ6cWk"


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says: who, in which sign-in, until when (seconds since the epoch)."""

    user_id: UUID
    session_id: UUID
    expires_at: int


@dataclass(frozen=True, slots=True)
class TokenSigner:
    """Issues and reads access tokens with one pinned algorithm."""

    key: str
    algorithm: str
    lifetime: timedelta

    def issue(self, user_id: UUID, session_id: UUID) -> str:
        issued = datetime.now(UTC)
        claims = {
            "sub": str(user_id),
            "sid": str(session_id),
            "typ": "access",
            "jti": uuid4().hex,
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": issued,
            "exp": issued + self.lifetime,
        }
        return str(jwt.encode(claims, self.key, algorithm=self.algorithm))

    def read(self, token: str) -> AccessClaims:
        """Raises NotAuthenticated for anything but a token that `issue` made and that has not expired."""
        try:
            _check_header(token, self.algorithm)
            claims = jwt.decode(
                token,
                self.key,
                algorithms=[self.algorithm],
                audience=AUDIENCE,
                issuer=ISSUER,
                options={**REQUIRED, "leeway": LEEWAY_S},
            )
            if claims.get("typ") != "access":
                raise ValueError("not an access token")
            return AccessClaims(UUID(claims["sub"]), UUID(claims["sid"]), int(claims["exp"]))
        # RecursionError: python-jose 3.5 parses claims with a recursive decoder. OverflowError: a time of 1e999
        except (JWTError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise NotAuthenticated("the access token is not valid or has expired; sign in again") from None


def _check_header(token: str, algorithm: str) -> None:
    """Refuse what must never reach python-jose: oversized, nested or foreign headers. Raises ValueError."""
    if len(token) > MAX_TOKEN_CHARS or not COMPACT.fullmatch(token):
        raise ValueError("not a compact token")
    encoded = token.partition(".")[0]
    if len(encoded) > MAX_HEADER_CHARS:
        raise ValueError("header too long")
    try:
        header = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except binascii.Error as error:
        raise ValueError("header is not base64") from error
    if not isinstance(header, dict) or set(header) - {"alg", "typ", "kid"} or header.get("alg") != algorithm:
        raise ValueError("foreign header")


def hash_password(password: str) -> str:
    """argon2id, m = 19 MiB, t = 2, p = 1 (OWASP). About 20 ms of CPU: call it in a thread."""
    return str(_hasher.hash(password))


def verify_password(password: str, hashed: str) -> bool:
    """As slow as `hash_password`: call it in a thread."""
    return bool(_hasher.verify(password, hashed))


def new_opaque_token() -> str:
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored instead of an opaque token: SHA-256, enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def load_or_create_key(path: Path) -> str:
    """The signing key in `path`, made on first use, readable by its owner alone. Raises SettingsError.

    It is complete or not there at all: a process that dies while it writes leaves no empty key behind.
    """
    try:
        if not path.exists():
            new = path.with_name(f"{path.name}.{uuid4().hex}")
            with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
                file.write(secrets.token_hex(32))
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        key = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The signing key {str(path)!r} cannot be used: {error}; see JWT_SECRET_KEY.") from None
    if len(key) < MIN_SECRET_CHARS:
        raise SettingsError(
            f"The signing key {str(path)!r} has only {len(key)} characters: delete the file to have a new one made; "
            "everybody then signs in again."
        )
    return key
