"""Accounts on a database of the test's own, and people who sign in."""

from pathlib import Path

from pydantic import SecretStr

from app.core.errors import NotAuthenticated
from app.core.settings import AuthSettings
from app.db.models import User
from app.db.session import Database
from app.services.accounts import Accounts, Tokens
from app.services.keys import Keys

PASSWORD = "correct horse"
SECRET = "f3Jq9vXz0LmT7wBc2YhNs5RkPd8Ga1Ue"
ALLOWED_FAILURES = 10


def make(db: Database, folder: Path, **settings: object) -> Accounts:
    given = {"jwt_secret_key": SecretStr(SECRET), **settings}
    return Accounts(db, Keys(db), AuthSettings(_env_file=None, **given), data_dir=folder)  # type: ignore[arg-type]


async def register(accounts: Accounts, name: str = "ann") -> User:
    return await accounts.register(username=name, email=None, password=PASSWORD, address="a")


async def login(accounts: Accounts, name: str = "ann", password: str = PASSWORD, address: str = "a") -> Tokens:
    return await accounts.login(username=name, password=password, address=address)


async def is_live(accounts: Accounts, tokens: Tokens) -> bool:
    try:
        await accounts.authenticate(tokens.access)
    except NotAuthenticated:
        return False
    return True
