"""Signing key, access tokens, opaque tokens, password hashes."""

import base64
import json
import stat
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.errors import NotAuthenticated, SettingsError
from app.core.security import (
    DECOY_HASH,
    TokenSigner,
    digest,
    hash_password,
    load_or_create_key,
    new_opaque_token,
    verify_password,
)

KEY = "k3y" * 20
SIGNER = TokenSigner(KEY, "HS256", timedelta(minutes=5))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_token_says_who_in_which_sign_in_until_when(algorithm: str) -> None:
    signer = TokenSigner(KEY, algorithm, timedelta(minutes=5))
    user_id, session_id = uuid4(), uuid4()
    token = signer.issue(user_id, session_id)
    claims = signer.read(token)
    assert (claims.user_id, claims.session_id) == (user_id, session_id)
    payload = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims.expires_at == payload["exp"] == payload["iat"] + 300


def test_no_two_tokens_are_alike() -> None:
    user_id, session_id = uuid4(), uuid4()
    assert SIGNER.issue(user_id, session_id) != SIGNER.issue(user_id, session_id)


def test_token_of_another_algorithm_key_or_time_is_refused() -> None:
    ids = uuid4(), uuid4()
    for other in (
        TokenSigner(KEY, "HS512", timedelta(minutes=5)),
        TokenSigner(KEY + "x", "HS256", timedelta(minutes=5)),
        TokenSigner(KEY, "HS256", timedelta(seconds=-11)),
    ):
        with pytest.raises(NotAuthenticated, match="sign in again"):
            SIGNER.read(other.issue(*ids))
    SIGNER.read(TokenSigner(KEY, "HS256", timedelta(seconds=-5)).issue(*ids))  # clocks differ by seconds


def test_error_of_a_refused_token_hides_why() -> None:
    """What python-jose says about a forged token helps nobody but its forger."""
    with pytest.raises(NotAuthenticated) as error:
        SIGNER.read("a.b.c")
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_password_is_verified_and_each_hash_has_its_own_salt() -> None:
    one, two = hash_password("correct horse"), hash_password("correct horse")
    assert one != two
    assert one.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert verify_password("correct horse", one)
    assert not verify_password("Correct horse", one)


@pytest.mark.parametrize("password", ["", "x" * 256, "ünïcödé 🔑 пароль", " spaces "])
def test_odd_passwords_are_kept_exactly(password: str) -> None:
    hashed = hash_password(password)
    assert verify_password(password, hashed)
    assert not verify_password(password + " ", hashed)


def test_decoy_costs_what_a_hash_costs() -> None:
    """The same parameters, and a hash that argon2 takes for one: else an unknown user would be answered faster."""
    assert DECOY_HASH.rsplit("$", 2)[0] == hash_password("any").rsplit("$", 2)[0]
    assert not verify_password("any", DECOY_HASH)


def test_opaque_tokens_are_long_random_and_stored_as_digests() -> None:
    tokens = {new_opaque_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 43
    assert len(digest("x")) == 64
    assert digest("x") == digest("x") != digest("y")


def test_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "jwt.key"
    key = load_or_create_key(path)
    assert len(key) == 64
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_key(path) == key
    assert list(tmp_path.iterdir()) == [path]
    assert load_or_create_key(tmp_path / "other.key") != key


@pytest.mark.parametrize("content", ["", "\n", "short", "x" * 31])
def test_key_that_is_too_short_is_refused(tmp_path: Path, content: str) -> None:
    """Such as the empty file that a full disk leaves: tokens signed with it could be forged by anybody."""
    path = tmp_path / "jwt.key"
    path.write_text(content)
    with pytest.raises(SettingsError, match=r"jwt\.key.*delete the file"):
        load_or_create_key(path)


def test_key_that_cannot_be_read_or_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"\xff" * 64)
    for path in (tmp_path / "folder", tmp_path / "binary", tmp_path / "missing" / "jwt.key"):
        with pytest.raises(SettingsError, match=path.name):
            load_or_create_key(path)
