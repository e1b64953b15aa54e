"""`llama-service admin`: accounts, looked after from the terminal of the machine that the service runs on."""

import asyncio
import secrets
import sys
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from app.core import data_folder
from app.core.enums import Role
from app.core.errors import AppError
from app.core.settings import Settings
from app.crud import users
from app.db.migrations import migrate
from app.db.session import Database
from app.schemas.auth import Registration
from app.services.accounts import Accounts

ENDED: Final = "earlier sign-ins have ended"
app = typer.Typer(no_args_is_help=True)


@app.callback()
def admin() -> None:
    """Look after accounts, beside a running service or before its first start."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """`password` None: ask for one on a terminal, else make one."""

    username: str
    password: str | None
    reset_password: bool


@app.command()
def create(
    username: Annotated[str | None, typer.Option(help="ADMIN_USERNAME by default.")] = None,
    password: Annotated[
        str | None,
        typer.Option(help="8 to 256 characters. Others on this machine may see it: better leave it out and be asked."),
    ] = None,
    *,
    reset_password: Annotated[
        bool, typer.Option("--reset-password", help="Give an administrator who is already there a new password.")
    ] = False,
) -> None:
    """Make an administrator, or make a user one. One who is already there is left alone.

    Without --password it is ADMIN_PASSWORD, or asked for on a terminal, or generated and printed once.
    """
    settings = Settings.load()
    name = username or settings.auth.admin_username
    given = settings.auth.admin_password if name == settings.auth.admin_username else None
    wanted = Wanted(name, password or (given.get_secret_value() if given else None), reset_password)
    _check(name, wanted.password or "not chosen yet")
    try:
        typer.echo(asyncio.run(_create(settings, wanted)))
    except AppError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None


async def _create(settings: Settings, wanted: Wanted) -> str:
    """Touches rows alone, so it needs no lock on the data folder."""
    data_folder.make(settings.storage.data_dir)
    await migrate(settings.storage.migration_url)
    db = Database(settings.storage.rows_url)
    try:
        return await _ensure(db, Accounts(db, settings.auth, data_dir=settings.storage.data_dir), wanted)
    finally:
        await db.aclose()


async def _ensure(db: Database, accounts: Accounts, wanted: Wanted) -> str:
    name = wanted.username
    user = await db.query(partial(users.by_username, username=name))
    is_admin = user is not None and user.role == Role.ADMIN and user.is_active
    if is_admin and not wanted.reset_password:
        return f"Administrator {name!r} is already there and was left alone; --reset-password gives a new password."
    chosen = wanted.password or (_asked(name) if sys.stdin.isatty() else "")
    password = chosen or secrets.token_urlsafe(12)
    shown = "" if chosen else f"\nPassword: {password} (shown only now)"
    if is_admin:
        await accounts.reset_password(username=name, password=password)
        return f"Administrator {name!r} has a new password; {ENDED}.{shown}"
    await accounts.ensure_admin(username=name, password=password)
    if user is None:
        return f"Administrator {name!r} was made.{shown}"
    return f"User {name!r} was made an administrator, with a new password; {ENDED}.{shown}"


def _asked(username: str) -> str:
    """Empty when one is to be generated."""
    return str(
        typer.prompt(
            f"Password for {username!r}, 8 to 256 characters (nothing: one is generated)",
            default="",
            show_default=False,
            hide_input=True,
            confirmation_prompt="The same again",
            value_proc=lambda typed: typed and _check(username, typed),
        )
    )


def _check(username: str, password: str) -> str:
    """The password. Refuses what an account cannot have."""
    try:
        return Registration(username=username, password=password).password
    except ValidationError as error:
        field = str(error.errors()[0]["loc"][0])
        allowed = {
            "username": "1 to 64 letters, digits, dots, underscores or hyphens",
            "password": "8 to 256 characters",
        }
        shown = f" {username!r}" if field == "username" else ""
        raise typer.BadParameter(f"the {field}{shown} must be {allowed[field]}") from None
