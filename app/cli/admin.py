"""`llama-service admin`: accounts, looked after from the terminal of the machine that the service runs on."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from app.core import data_folder
from app.core.enums import Role, Scope
from app.core.errors import AppError, NotFound
from app.core.settings import Settings
from app.crud import users
from app.db.migrations import migrate
from app.db.session import Database
from app.schemas.api_keys import KeyRequest
from app.schemas.auth import Registration
from app.services.accounts import Accounts
from app.services.keys import Keys

ENDED: Final = "earlier sign-ins have ended, and API keys are revoked"
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
    _run(_create(settings, wanted))


@app.command()
def key(
    user: Annotated[str, typer.Option(help="Whose key.")],
    name: Annotated[str, typer.Option(help="1 to 64 characters, by which its user knows it.")],
    scope: Annotated[list[Scope] | None, typer.Option(help="May be given several times. [default: openai]")] = None,
    expires_in_days: Annotated[int | None, typer.Option(help="1 to 365. [default: never]")] = None,
) -> None:
    """Make an API key for a user and print it, alone on a line, once."""
    try:
        wanted = KeyRequest(name=name, scopes=scope, expires_in_days=expires_in_days)
    except ValidationError as error:
        problem = error.errors()[0]
        raise typer.BadParameter(f"{problem['loc'][0]}: {problem['msg'].removeprefix('Value error, ')}") from None
    _run(_make_key(Settings.load(), user, wanted))


def _run(work: Coroutine[None, None, str]) -> None:
    """Print what it gives, or the one sentence of its error."""
    try:
        typer.echo(asyncio.run(work))
    except AppError as error:
        typer.echo(error.message, err=True)
        raise typer.Exit(1) from None


@asynccontextmanager
async def _rows(settings: Settings) -> AsyncIterator[Database]:
    """The rows alone, so that no lock on the data folder is needed."""
    data_folder.make(settings.storage.data_dir)
    await migrate(settings.storage.migration_url)
    db = Database(settings.storage.rows_url)
    try:
        yield db
    finally:
        await db.aclose()


async def _make_key(settings: Settings, username: str, wanted: KeyRequest) -> str:
    async with _rows(settings) as db:
        owner = await db.query(partial(users.by_username, username=username))
        if owner is None:
            raise NotFound(f"there is no user {username!r}")
        days = wanted.expires_in_days
        made = await Keys(db).create(owner.id, name=wanted.name, scopes=wanted.scopes, expires_in_days=days)
        return made.text


async def _create(settings: Settings, wanted: Wanted) -> str:
    async with _rows(settings) as db:
        accounts = Accounts(db, Keys(db), settings.auth, data_dir=settings.storage.data_dir)
        return await _ensure(db, accounts, wanted)


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
