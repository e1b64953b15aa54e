"""The administrator of a new data folder."""

import secrets
import sys

from app.core.settings import AuthSettings
from app.services.accounts import Accounts


async def ensure_first_admin(accounts: Accounts, settings: AuthSettings) -> None:
    """The first start makes an administrator. A generated password is shown once, on the terminal, never in the log."""
    if await accounts.has_admin():
        return
    given = settings.admin_password
    password = given.get_secret_value() if given else secrets.token_urlsafe(12)
    made = await accounts.ensure_admin(username=settings.admin_username, password=password)
    if made and given is None:
        line = f"Administrator {settings.admin_username!r} was made, password: {password} (shown only now)"
        sys.stderr.write(f"\n{line}\n\n")
        sys.stderr.flush()
